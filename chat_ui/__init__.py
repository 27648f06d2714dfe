"""What is said: Chainlit's callbacks, the subscriber's chat, the setup bot, cards."""
