"""What a visitor does to the models, and reads out of their insides."""
