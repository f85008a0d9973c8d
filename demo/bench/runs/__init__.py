"""What is done in the bench: runs that can be stopped and go on, and what they write."""
