"""The `mrv` command: options, exit codes and progress.

Belongs here: click's commands, each file named by its verbs. Does not belong here: answers (``reports``), and the work
itself. Imports everything below; nothing imports it.
"""
