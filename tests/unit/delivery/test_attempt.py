"""One attempt: whatever happens is an `Attempt`, never an exception."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import httpx
import pytest
from structlog.testing import capture_logs

from signaldesk.channels.kinds import Means
from signaldesk.channels.outbound import Outbound
from signaldesk.clock import ManualClock
from signaldesk.delivery.attempt import Sender
from signaldesk.errors import Unavailable
from signaldesk.ids import new_id
from signaldesk.log import get_logger
from signaldesk.model.delivery import Attempt
from signaldesk.model.message import to_json
from tests.support.claims import claimed
from tests.support.messages import NOW_US, firing_message

WEBHOOK: dict[str, Any] = {"kind": "webhook", "config": '{"url": "https://hooks.example.com/secret-path"}'}


class Publisher:
    """Publishes nothing; raises what it is told to."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error

    async def __call__(self, org_id: UUID, message: dict[str, Any]) -> None:
        if self.error is not None:
            raise self.error


async def attempt(
    answer: httpx.Response | None = None, *, error: Exception | None = None, **changes: Any
) -> Attempt:
    outbound = Outbound(httpx.MockTransport(lambda request: answer or httpx.Response(200, text="ok")))
    means = Means(outbound=outbound, clock=ManualClock(NOW_US), publish=Publisher(error))
    return await Sender(means).attempt(claimed(**changes))


async def test_a_message_that_arrived_is_sent() -> None:
    result = await attempt(**WEBHOOK)
    assert (result.result, result.status_code, result.response) == ("sent", 200, "ok")
    assert result.started_us == NOW_US
    assert result.duration_ms >= 0


async def test_a_failure_that_may_pass_is_tried_again_with_the_answer_kept() -> None:
    result = await attempt(httpx.Response(503, text="busy", headers={"retry-after": "9"}), **WEBHOOK)
    assert (result.result, result.status_code, result.response, result.retry_after) == (
        "retry",
        503,
        "busy",
        9.0,
    )
    assert result.error == "hooks.example.com answered 503: busy"


async def test_a_refusal_is_final_and_says_so_when_the_destination_is_gone() -> None:
    refused, gone = (
        await attempt(httpx.Response(400), **WEBHOOK),
        await attempt(httpx.Response(410), **WEBHOOK),
    )
    assert (refused.result, refused.gone) == ("failed", False)
    assert (gone.result, gone.gone) == ("failed", True)


async def test_nothing_is_sent_through_a_channel_that_is_switched_off() -> None:
    result = await attempt(enabled=False, disabled_reason="it is gone")
    assert (result.result, result.counts) == ("failed", False)
    assert result.error == "the channel is switched off (it is gone); switch it on and send again"


@pytest.mark.parametrize(
    "changes",
    [
        {"message": "{}"},
        {"message": "not json"},
        {"kind": "pigeon"},
        {"kind": "webhook", "config": "{}"},
        {"config": "["},
    ],
)
async def test_a_row_that_cannot_be_read_has_failed_with_the_reason(changes: dict[str, Any]) -> None:
    result = await attempt(**changes)
    assert (result.result, result.counts) == ("failed", False)
    assert result.error


async def test_a_mistake_of_ours_is_tried_again_and_keeps_its_text_to_the_log() -> None:
    result = await attempt(error=RuntimeError("secret detail"))
    assert (result.result, result.counts) == ("retry", False)
    assert result.error is not None
    assert "RuntimeError" in result.error
    assert "secret detail" not in result.error


async def test_an_in_app_message_waits_for_redis() -> None:
    assert (await attempt(error=Unavailable("redis is away"))).result == "retry"


async def test_the_log_names_all_that_a_message_is_about(monkeypatch: pytest.MonkeyPatch) -> None:
    alert, content = new_id(), firing_message()
    with capture_logs() as lines:
        monkeypatch.setattr("signaldesk.delivery.attempt.log", get_logger("test"))
        await attempt(httpx.Response(503, text="busy"), alert_id=alert, message=to_json(content), **WEBHOOK)
    (line,) = lines
    assert (line["event"], line["error"]) == (
        "message to be sent again",
        "hooks.example.com answered 503: busy",
    )
    assert (line["alert"], line["rule"]) == (str(alert), str(content.rule.id))
    assert line["event_id"] == str(content.event.id)
