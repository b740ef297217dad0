"""Commands of classical meta-analysis."""
