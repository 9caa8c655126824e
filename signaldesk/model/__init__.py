"""The nouns: pure values and structures, no driver, no I/O."""
