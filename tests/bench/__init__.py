"""SignalDesk's benchmarks: each promise about speed, measured beside the naive loop in one run.

`python -m tests.bench --help` says what there is and how to run it.
"""

from signaldesk.__main__ import undisturbed

undisturbed()  # as SignalDesk's processes are: previews and backtests are measured within the benchmark's own
