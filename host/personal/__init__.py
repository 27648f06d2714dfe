"""What belongs to one person alone: their data, their account's end, what they ask the operator."""
