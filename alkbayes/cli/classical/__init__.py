"""Classical meta-analyses."""
