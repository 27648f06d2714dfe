"""Who takes the money for an order, or stands for why none is taken."""
