"""Exports: verified months in file formats of others, one file a format.

Belongs here: GeoTIFF, GeoParquet, CSV, Excel and STAC; ``formats`` lists them. Does not belong here: the computation of
a month (``stages``), the JSON document and page of `mrv export` (``reports``). No code digest covers it. Imports
``verify`` and lower.
"""
