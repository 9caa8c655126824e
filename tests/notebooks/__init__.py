"""The notebooks of `notebooks/`, run from top to bottom: what they print is what is committed.

`running` runs one, `made` keeps out of a notebook what differs from run to run, `python -m tests.notebooks`
(`make notebooks`) writes them anew.
"""
