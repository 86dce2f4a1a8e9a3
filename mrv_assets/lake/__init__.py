"""Objects that are kept, moved and never interpreted: paths, records, runs, heads, requests, manual decisions.

Belongs here: giving data a durable name, and finding it again. Does not belong here: what the data means (``formats``),
checking a lake that nobody vouches for (``verify``). No code digest covers it. Imports ``formats``, ``cog`` and lower.
"""
