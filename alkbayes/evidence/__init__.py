"""Tables of cohorts: reading, checking and hashing."""
