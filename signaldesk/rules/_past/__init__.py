"""Kinds whose conditions are answered for all events of the past at once, in columns: see `Replay`."""
