"""What people judged of the cohorts, what the table says of its counts, and what GRADE asks for beside them."""
