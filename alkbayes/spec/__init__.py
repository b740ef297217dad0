"""Model files: parsed and checked, with a reason for every prior."""
