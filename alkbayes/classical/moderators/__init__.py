"""Meta-regression, subgroups, small-study effects."""
