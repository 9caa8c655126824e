"""What tests lean on: servers shared by a run, fresh databases, waiting without sleeping."""

from tests.support.waiting import eventually, eventually_now

__all__ = ["eventually", "eventually_now"]
