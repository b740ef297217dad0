"""Numbers of a record as rows of tables, each with the place in the record that it was read from."""
