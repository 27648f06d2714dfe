"""Offerings being described: saved after every answer, tried, published once."""
