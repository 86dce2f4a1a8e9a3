"""Scenes of a ground that does not exist, published as real ones are, with what is true of it.

Belongs here: the ground, its clouds, the three missions that see it, its truth. Does not belong here: code that handles
real scenes, so that a test against the truth tests it. No code digest covers it. Imports ``missions`` and grids of
``science`` alone.
"""
