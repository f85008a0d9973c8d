"""What belongs to one visitor, what is kept for the next, and whose turn it is."""
