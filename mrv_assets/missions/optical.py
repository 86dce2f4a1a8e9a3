"""The optical missions, by name: the table has a column for the share that each of them gave."""

OPTICAL = ("sentinel2", "landsat")
"""In the order of the columns; a test holds it against the missions a programme may name."""
