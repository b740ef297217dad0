"""Published numbers: how a headline was made, means of medians."""
