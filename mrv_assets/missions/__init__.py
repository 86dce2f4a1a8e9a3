"""Satellite products as data: bands, scaling, quality bits and indices, with their sources.

Belongs here: numbers and names that a publisher's handbook states. Does not belong here: code that uses them
(``science``, ``scenes``, ``cog``). A new mission is one file and one line of ``registry``, a new index one row of
``indices``. Part of the code digests. Imports nothing from the package; every folder may import it.
"""
