"""Dagster definitions, one concept a file: assets, checks, partitions, jobs, sensors, schedules, resources, metadata.

Belongs here: everything that imports Dagster when it is loaded. Does not belong here: the work itself; an asset's body
calls its stage. Imports ``reports`` and lower.
"""
