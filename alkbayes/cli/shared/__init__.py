"""Options, output and progress common to commands."""
