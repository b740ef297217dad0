"""Published numbers: audits of headline rates, means of medians."""
