"""Tables of cohorts: read, checked, hashed."""
