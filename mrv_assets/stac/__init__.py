"""STAC catalogues, on disk or behind an API: opened by whatever name a programme gives them, and searched.

Belongs here: presets of public catalogues, searches and their pages, links. Does not belong here: which of the items
found count (``scenes``), reading what they link (``transport``). No code digest covers it. Imports ``transport``.
"""
