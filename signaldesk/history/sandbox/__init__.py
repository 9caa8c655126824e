"""Other people's SQL, each statement in a process of its own that is thrown away afterwards.

`launcher` starts one process, `forks`, from which a `child` is forked for every query. A child has no
environment and no right to open a file or a socket, and holds one organisation's rows and nothing else.
"""
