"""Commands that draw and report."""
