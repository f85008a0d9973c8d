"""What differs between Gemma 4 and any other family of models."""

from models.gemma.family import FAMILIES, RELEASES

__all__ = ["FAMILIES", "RELEASES"]
