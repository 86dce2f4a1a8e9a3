"""Dagster's entry point: the programme's assets. Reads the programme file and nothing else."""

from mrv_assets.defs.build import build_definitions
from mrv_assets.settings import current

defs = build_definitions(current())
