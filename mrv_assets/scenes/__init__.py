"""STAC items in, observations out: which published scenes count for a month, and how their numbers are to be read.

Belongs here: reading an item that someone else wrote, recognising bands and duplicates, deciding a scene's offset
(``offset``), grouping scenes into observations (``select``). Does not belong here: searching (``stac``), reading a
file's bytes (``cog``). Part of the code digests. Imports ``science`` and lower.
"""
