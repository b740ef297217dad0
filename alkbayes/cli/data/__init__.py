"""Tables and model files."""
