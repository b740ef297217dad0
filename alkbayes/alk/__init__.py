"""What is of the field of ALK inhibitors and of its review alone: levels, names, printed figures."""
