"""What each verb of `mrv` answers: one file a verb, as a JSON document and as a page for a terminal.

Belongs here: wording and layout of answers. Does not belong here: options of the command line (``cli``), work
(everything below). Imports ``export``, ``verify``, ``review`` and lower.
"""
