"""Tests of the `where` language."""
