"""The `mrv` command: options, exit codes and progress.

Belongs here: click's commands, each file named by its verbs. Does not belong here: answers (``reports``), and the work
itself. No code digest covers it. Imports everything below; nothing imports it.
"""
