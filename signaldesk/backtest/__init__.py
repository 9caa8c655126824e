"""Rules judged over the past: what they would have fired, whom they would have told, and how to tune them.

The way in is `rule.Rule`. `events` takes events in whatever form they come, `engine` chooses who judges them:
`fold`, the engine's own lane, or `columns`. `result` is what came of it, `sweep` many of them, `labels` the
known incidents.

In columns: `matched` finds a rule's events and sorts them, `hits` says which of those at which the condition
holds fire, `feeding` shows the few that matter to the engine's lane, `reasons` asks the judge why.
"""
