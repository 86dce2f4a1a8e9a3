"""Speed and memory against odc-stac on a synthetic month of Sentinel-2 that anyone can make again."""
