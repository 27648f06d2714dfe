"""The setup bot: its dialogue as rules, and its shell on Chainlit."""
