"""Honest stand-ins for what lies outside: time, upstreams."""
