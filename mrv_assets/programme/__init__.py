"""What a user asks for: the programme file and the parcels file, read whole with every problem told at once.

Belongs here: the models of ``program.yaml``, its reader, the reader of parcels. Does not belong here: where things live
(``settings``), what is computed from a programme (``deployment``). Imports ``science``, ``missions``, ``audit``.
"""
