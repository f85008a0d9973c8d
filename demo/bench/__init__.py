"""The bench: the same questions over many clips and conditions, answered by every adapter, as tables to cite."""
