"""What a reader sees of each result, for the terminal and the report alike."""
