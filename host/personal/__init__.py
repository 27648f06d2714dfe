"""What is one person's own: their data, their account's end, what they ask the operator."""
