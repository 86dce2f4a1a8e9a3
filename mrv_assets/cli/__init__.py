"""The `mrv` command: options, exit codes, progress. What a verb answers is in ``reports``.

Belongs here: click. Does not belong here: anything that a test of an answer would want without a command line. Imports
everything; nothing imports it.
"""
