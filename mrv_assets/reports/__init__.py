"""Reports: the answer of each verb of `mrv`, one file a verb.

Belongs here: in each file ``answer``, which gives the JSON document that ``--json`` prints, and ``text``, which lays it
out for a terminal. Does not belong here: options of the command line (``cli``), and the work itself (everything below).
Imports ``export``, ``verify``, ``review`` and lower. The page of `mrv demo` stands in ``demo``, because it describes a
run through Dagster. No code digest covers it.
"""
