"""Dagster definitions, one concept a file: assets, checks, partitions, jobs, sensors, schedules, resources, metadata.

Belongs here: everything that imports Dagster when it is loaded. Does not belong here: the work itself; an asset's body
calls its stage. A new asset needs nothing here: ``stages.table`` lists them. No code digest covers it. Imports
``reports`` and lower.
"""
