"""The commands, one module for each noun; each hands a verb to `farebox.control`."""
