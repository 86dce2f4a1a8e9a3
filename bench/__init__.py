"""Benchmarks of speed and memory against odc-stac, on a synthetic and repeatable month of Sentinel-2."""
