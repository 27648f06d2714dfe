"""What Farebox promises, tested."""
