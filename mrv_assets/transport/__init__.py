"""Bytes from elsewhere: sizes, ranges and digests of published objects, and documents, from disk, HTTP or S3.

Belongs here: requests, retries, limits, host rules, signatures, the read cache. Does not belong here: the meaning of
the bytes (``cog``), the choice of objects (``stac``). No code digest covers it. Imports ``scenes``, ``cog`` and lower.
"""
