"""The user's input: the programme file and the parcels file, read whole, with all problems reported at once.

Belongs here: the models of ``program.yaml``, its reader, the reader of parcels. Does not belong here: paths and run
settings (``settings``), the plans made from a programme (``deployment``). No code digest covers it. Imports
``science``, ``missions``, ``audit``.
"""
