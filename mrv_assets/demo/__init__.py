"""`mrv demo`: a real programme and a simulated one, run from nothing, and the page that shows what came of them.

Belongs here: the demo's inputs and its page. Does not belong here: anything that other programmes need. Imports
``defs``, ``simulated`` and lower; only ``cli`` imports it.
"""
