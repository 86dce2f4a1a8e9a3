"""The meaning of stored bytes: arrays in Zarr, the parcels' table, documents and pictures that stages leave.

Belongs here: writing values into files of a lake and reading them back as the same values. Does not belong here: where
these files lie and which of them are current (``lake``). Nothing is read but what a record says. Part of the code
digests. Imports ``cog`` and lower.
"""
