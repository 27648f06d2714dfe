"""What Farebox costs, measured against what one would have written instead."""
