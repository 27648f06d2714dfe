"""The shape of the code, tested."""
