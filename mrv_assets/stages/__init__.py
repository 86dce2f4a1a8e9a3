"""The stages: one file an asset, each a plain function ``(lake, plan) -> Materialized`` that needs no Dagster.

Belongs here: plans, the graph of a stage's block tasks, answering a request from the lake or by computing it. Does not
belong here: formulae (``science``), Dagster (``defs``). A new asset is one file and one row of ``table``. Part of the
code digests. Imports ``lake``, ``stac`` and lower.
"""
