"""Sends one claimed notification once. Whatever happens comes back as an `Attempt`; nothing is raised."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from functools import lru_cache
from typing import Any

import msgspec

from signaldesk.channels.kinds import Channel, Means, Receipt, kind, parse
from signaldesk.errors import DeliveryError, DeliveryFailed, DeliveryGone, Invalid
from signaldesk.log import get_logger
from signaldesk.model import message
from signaldesk.model.delivery import Attempt, Claimed

log = get_logger(__name__)

ERROR_CHARACTERS = 1000
CONFIGURATIONS = 2000
"""Most configurations remembered."""


class Sender:
    """Sends through channels; remembers checked configurations, because one channel gets many messages."""

    def __init__(self, means: Means) -> None:
        self._means = means
        self._configured = lru_cache(CONFIGURATIONS)(_configured)

    async def attempt(self, claimed: Claimed) -> Attempt:
        """Send once and say what came of it."""
        loop = asyncio.get_running_loop()
        started_us, began = self._means.clock.now_us(), loop.time()
        attempt = await self._outcome(claimed)
        attempt = attempt._replace(started_us=started_us, duration_ms=(loop.time() - began) * 1000)
        _log(claimed, attempt)
        return attempt

    async def _outcome(self, claimed: Claimed) -> Attempt:
        if not claimed.enabled:
            reason = claimed.disabled_reason or "by a person"
            return _unsent(f"the channel is switched off ({reason}); switch it on and send again")
        try:
            channel, config = self._configured(claimed.kind, claimed.config)
            content = message.from_json(claimed.message)
            return _sent(await channel.send(config, content, self._means))
        except DeliveryError as error:
            return _unanswered(error)
        except Invalid as error:
            return _unsent(f"the channel's configuration is not valid any more: {error.detail}")
        except ValueError as error:
            return _unsent(f"the message cannot be read: {error}")
        except Exception as error:
            # A mistake of ours: it must not take the other messages down with it, and may be mended by the
            # next attempt. Only the type, because the text may hold anything.
            log.exception("sending went wrong", notification=str(claimed.id), org=str(claimed.org_id))
            fault = f"SignalDesk made a mistake ({type(error).__name__}); the operator's log says more"
            return Attempt("retry", 0, 0, error=fault, counts=False)


class _Named(msgspec.Struct):
    id: str


class _About(msgspec.Struct):
    """What a line of the log says of a message; nothing that a tenant wrote."""

    rule: _Named
    event: _Named


_WHAT_CAME = {"sent": "message sent", "retry": "message to be sent again", "failed": "message not sent"}


def _log(claimed: Claimed, attempt: Attempt) -> None:
    facts: dict[str, Any] = {"org": claimed.org_id, "alert": claimed.alert_id, "channel": claimed.channel_id}
    with suppress(msgspec.DecodeError):  # what cannot be read is a failure with its reason already
        about = msgspec.json.decode(claimed.message, type=_About)
        facts |= {
            "rule": about.rule.id,
            "event_id": about.event.id,
        }  # structlog calls the message itself `event`
    named = {name: str(value) for name, value in facts.items() if value is not None}
    took = round(attempt.duration_ms, 1)
    more = {"error": attempt.error} if attempt.error else {}
    log.info(
        _WHAT_CAME[attempt.result],
        notification=str(claimed.id),
        attempt=claimed.number,
        ms=took,
        **named,
        **more,
    )


def _configured(name: str, config: str) -> tuple[Channel[Any], Any]:
    channel = kind(name)
    return channel, parse(channel, msgspec.json.decode(config))


def _sent(receipt: Receipt) -> Attempt:
    return Attempt("sent", 0, 0, status_code=receipt.status, response=receipt.text or None)


def _unsent(why: str) -> Attempt:
    """Nothing was sent and trying again would not change that; it says nothing about the destination."""
    return Attempt("failed", 0, 0, error=why[:ERROR_CHARACTERS], counts=False)


def _unanswered(error: DeliveryError) -> Attempt:
    return Attempt(
        "retry" if isinstance(error, DeliveryFailed) else "failed",
        0,
        0,
        status_code=error.answer_status,
        error=error.detail[:ERROR_CHARACTERS],
        response=error.answer_text or None,
        retry_after=error.retry_after,
        gone=isinstance(error, DeliveryGone),
    )
