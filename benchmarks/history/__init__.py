"""How fast conversations and pages are, beside Chainlit's own ways on the same machine."""
