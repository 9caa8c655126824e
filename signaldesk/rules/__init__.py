"""Rule kinds, one file each: parameters, live judgement. Adding a kind is adding a file.

A kind's module names its `KIND`: a subclass of `signaldesk.rules._kind.Kind`.
"""
