"""Browse: the conversation in which people look around, buy, and ask what they have."""
