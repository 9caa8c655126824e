"""The processor: batch -> filters -> windows -> verdicts -> one transaction.

`processor` owns partitions and runs the periodic work, `partition` reads one partition's stream and commits,
`lane` judges one organisation's events in order, `watch` is one rule made ready for that.
"""
