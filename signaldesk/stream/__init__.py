"""Redis: the partitioned event stream, window checkpoints, pub/sub. The only room that imports redis."""
