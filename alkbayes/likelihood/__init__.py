"""A cohort's likelihood, its deviations integrated out or drawn."""
