"""Manual review: what waits for a person, the person's signed decision, and reviewers' keys.

Belongs here: who may decide on what, and what follows from it. Does not belong here: checking decisions that are stored
(``verify``). Imports ``deployment`` and lower.
"""
