"""What every omni model that transformers loads has in common; a family (qwen_omni, gemma) is what differs."""
