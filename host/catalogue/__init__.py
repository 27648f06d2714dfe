"""What is for sale: fields, terms, and the verbs of builders and subscribers."""
