"""What the chat adds to an answer: through Farebox beside straight from the upstream."""
