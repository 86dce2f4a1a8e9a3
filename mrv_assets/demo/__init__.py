"""`mrv demo`: a real programme and a simulated one, run from nothing, and the report of both.

Belongs here: the demo's inputs, its run and its report. Does not belong here: anything that other programmes need. No
code digest covers it. Imports ``defs``, ``simulated`` and lower; only ``cli`` imports it.
"""
