"""Talks to an installation over HTTP, from wherever the events are."""
