"""Channels: where people are told."""
