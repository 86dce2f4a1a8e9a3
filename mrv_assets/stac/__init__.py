"""STAC catalogues, on disk or behind an API: opened by the name that a programme gives them, and searched.

Belongs here: presets of public catalogues, searches and their pages, links. Does not belong here: the choice of items
that count (``scenes``), requests and reads of linked files (``transport``). No code digest covers it. Imports
``transport`` and lower.
"""
