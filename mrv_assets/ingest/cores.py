"""Computing beside the network: no more threads at once than there are cores, or the event loop waits behind them."""

import os
from threading import BoundedSemaphore

computing = BoundedSemaphore(max(1, (os.cpu_count() or 1)))
"""Held by a thread while it decodes, hashes or writes what was read; never while it waits for the network."""
