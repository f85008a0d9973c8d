"""What models are taught, and with what means; `python -m models.tune` does it."""
