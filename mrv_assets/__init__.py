"""Satellite MRV as a Dagster data lake."""

__version__ = "0.1.0"
