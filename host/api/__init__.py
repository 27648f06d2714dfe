"""What programs and the page's own scripts may ask, in JSON."""
