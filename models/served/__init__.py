"""A model behind any OpenAI-compatible server: asked, never looked into."""
