"""An intake whose stream is never asked for anything."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

import pytest

from signaldesk.clock import ManualClock
from signaldesk.intake.appender import Appender
from signaldesk.intake.intake import Delivery, Intake, Sender, Taken
from signaldesk.stream import client
from signaldesk.stream.events import EventStream

NOW_US = 1_760_000_000_000_000
SENDER = Sender(UUID(int=1), 0)

Read = Callable[..., Taken]


@pytest.fixture
async def intake() -> Intake:
    stream = EventStream(client.connect("redis://nowhere.invalid"))
    clock = ManualClock(NOW_US)
    return Intake(
        stream=stream,
        appender=Appender(stream, clock),
        clock=clock,
        max_body=4_096,
        max_batch=32_768,
        max_events=50,
        clock_skew=300,
    )


@pytest.fixture
def read(intake: Intake) -> Read:
    """Reads a body, with whatever else of a delivery is given."""

    def read(body: bytes, content_type: str = "application/json", **rest: str) -> Taken:
        return intake.read(SENDER, Delivery(body=body, content_type=content_type, **rest))  # type: ignore[arg-type]

    return read
