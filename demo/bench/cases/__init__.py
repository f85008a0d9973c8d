"""What is asked in the bench: clips, conditions, questions."""
