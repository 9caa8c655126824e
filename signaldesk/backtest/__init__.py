"""Rules judged over the past: what they would have fired, whom they would have told, and how to tune them.

The way in is `rule.Rule`. `events` takes events in whatever form they come, `fold` judges them with the
engine's own lane, `result` is what came of it, `sweep` many of them, `labels` the known incidents.
"""
