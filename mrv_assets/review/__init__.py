"""Manual review: the queue of rejected tile-months, signed decisions on them, and reviewers' keys.

Belongs here: the rules of who may decide on what, and what a decision changes. Does not belong here: checking stored
decisions (``verify``), and the answers of `mrv qa` and `mrv keys` (``reports``). No code digest covers it. Imports
``deployment`` and lower.
"""
