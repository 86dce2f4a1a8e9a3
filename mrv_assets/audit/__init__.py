"""The audit's arithmetic: canonical JSON, records, the digests of graphs, code and contents, signed manual decisions.

Belongs here: pure functions from data to digests, and the documents that are digested. Does not belong here: reading or
writing a file (``lake``, ``formats``), deciding whether a lake is sound (``verify``). Part of the code digests. Imports
nothing of the package; everybody may import it.
"""
