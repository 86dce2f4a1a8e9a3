"""What each satellite product is, as data: bands, scaling, quality bits, indices, with their sources.

Belongs here: numbers and names that a publisher's handbook states. Does not belong here: code that uses them
(``science``, ``scenes``, ``cog``). A new mission is one file and one line of ``registry``. Part of the code digests.
Imports nothing of the package; everybody may import it.
"""
