"""Page elements of a figure: layout, style, marks and rows."""
