"""Records of other shapes than the registry's API gives, brought into that shape."""
