"""Backtests that the server runs for somebody: each in a process of its own, whose progress can be asked for.

`jobs.Jobs` is the way in; `order` is what a job is, `child` the process that works it off.
"""
