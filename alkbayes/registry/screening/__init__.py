"""Which studies belong to a review: rules of a protocol, and decisions of people."""
