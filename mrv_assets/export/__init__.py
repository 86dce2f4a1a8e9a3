"""Months that may leave the lake, in formats of others: one file a format.

Belongs here: GeoTIFF, GeoParquet, CSV, Excel, STAC. Does not belong here: what a month is worth (``stages``), the
verb's page (``reports``). Imports ``verify`` and lower.
"""
