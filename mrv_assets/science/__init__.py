"""Arrays in, arrays out: grids, resampling, masks, indices, coverage, gate, composites, zonal statistics.

Belongs here: calculations on pixels, parcels and thresholds of any publisher. Does not belong here: STAC items
(``scenes``), GeoTIFFs (``cog``), files of any kind (``formats``). Part of the code digests. Imports ``missions``,
``audit`` and errors; every folder above may import it.
"""
