"""The demo: sample people and offerings, a scripted upstream and a sample service."""
