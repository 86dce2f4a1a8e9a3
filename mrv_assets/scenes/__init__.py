"""STAC items in, observations out: the published scenes that count for a month, and how to read their numbers.

Belongs here: reading an item of a foreign catalogue, recognising bands and duplicates, deciding a scene's offset
(``offset``), grouping scenes into observations (``select``). Does not belong here: searching (``stac``), reading a
file's bytes (``cog``). Part of the code digests. Imports ``science`` and lower.
"""
