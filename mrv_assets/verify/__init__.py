"""Is a lake what it says it is? Walks it, checks every object, computes months again, proves single rows.

Belongs here: checks of a lake, findings with their cures, drift, proofs, months of other parcels (``present``). Does
not belong here: how an answer looks (``reports``). No code digest covers it. Imports ``deployment`` and lower; only
``export``, ``reports``, ``defs`` and ``cli`` import it.
"""
