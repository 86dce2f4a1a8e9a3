"""Dagster: assets, checks, partitions, jobs, sensors, schedules, resources and what a materialization shows.

Belongs here: everything that imports Dagster when it is loaded. Does not belong here: work; an asset's body calls its
stage. Imports ``reports`` and lower.
"""
