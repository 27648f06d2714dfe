"""The door: the command line, the whole application, and the demo."""
