"""Arrays in, arrays out: grids, resampling, masks, indices, coverage, gate, composites, zonal statistics.

Belongs here: what is computed from pixels, parcels and thresholds, whatever published them. Does not belong here: STAC
items (``scenes``), GeoTIFFs (``cog``), files of any kind (``formats``). Part of the code digests.
Imports ``missions``, ``audit`` and errors; every folder above may import it.
"""
