"""The delivery room, without servers."""
