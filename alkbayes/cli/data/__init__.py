"""Commands about tables and model files."""
