"""Bytes from elsewhere: sizes, ranges and digests of published objects, from disk, HTTP or S3.

Belongs here: requests, retries, limits, host rules, signatures, the read cache. Does not belong here: what the bytes
mean (``cog``), which objects to ask for (``stac``). No code digest covers it. Imports ``scenes``, ``cog`` and lower.
"""
