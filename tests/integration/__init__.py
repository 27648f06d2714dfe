"""Real databases and real sockets."""
