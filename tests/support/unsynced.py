"""No process of a test waits for the disk: nothing that it writes has to outlive a crash of the machine.

A process that is killed -9 leaves behind all that it has written, synced or not, so crashes of processes are what
they were. Commands in interpreters of their own, as ``demo_lake.run_demo`` starts, wait as they always do.
"""

import os


def _not_waited_for(descriptor: int) -> None:
    # A descriptor that is none is an error as before.
    os.fstat(descriptor)


os.fsync = _not_waited_for
