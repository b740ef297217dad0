"""From a trial registry to a table of cohorts: search, screening, extraction, flow of trials, comparison of tables."""
