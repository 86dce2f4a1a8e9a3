"""GeoTIFF as a file format: headers, the gate that refuses them (``header``), georeference, sparse copies, decoding.

Belongs here: bytes of a GeoTIFF in, tags and pixels out. Does not belong here: the source of the bytes (``transport``),
the meaning of a scene (``scenes``). Part of the code digests. Imports ``scenes``, ``science`` and lower.
"""
