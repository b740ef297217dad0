"""Presentation of each result, common to the terminal and the report."""
