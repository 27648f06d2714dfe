"""Faults of the machine, brought about on purpose."""
