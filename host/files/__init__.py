"""Files that people send with a message: what they are, what may be sent, where they are kept."""
