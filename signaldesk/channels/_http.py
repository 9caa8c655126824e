"""Channels that are one HTTP POST, and the one reading of status codes they share."""

from __future__ import annotations

import math
from abc import abstractmethod
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import ClassVar, NamedTuple
from urllib.parse import urlsplit

import httpx

from signaldesk.channels._config import scrub
from signaldesk.channels._kind import C, Channel, Means, Receipt
from signaldesk.channels.outbound import Answer
from signaldesk.clock import MICROS, to_us
from signaldesk.errors import DeliveryFailed, DeliveryGone, DeliveryRefused
from signaldesk.model.message import Message, clip

RETRY_AFTER_MAX = 3600.0
"""Most seconds a destination may make us wait; past that our own schedule decides."""
EXCERPT_CHARACTERS = 1000
"""Most characters of an answer that are kept for people to read."""
_RETRIED = frozenset({408, 425, 429})


class Request(NamedTuple):
    url: str
    content: bytes
    headers: dict[str, str]


class HttpChannel(Channel[C]):
    """A channel that posts once. Subclasses say what to post; the answer is read the same for all."""

    gone: ClassVar[frozenset[int]] = frozenset({410})
    """Statuses that mean: this destination will never work again."""

    @abstractmethod
    def request(self, config: C, message: Message, now_us: int) -> Request:
        """What to post where. `now_us`: the time of this attempt."""

    async def send(self, config: C, message: Message, means: Means) -> Receipt:
        now_us = means.clock.now_us()
        asked = self.request(config, message, now_us)
        answer = await means.outbound.post(asked.url, content=asked.content, headers=asked.headers)
        # The answer may repeat what it was sent, secrets included, and people will read it.
        safe = answer._replace(text=clip(scrub(answer.text, config.secrets_held()), EXCERPT_CHARACTERS))
        return judge(safe, host=urlsplit(asked.url).hostname or "", gone=self.gone, now_us=now_us)


def judge(answer: Answer, *, host: str, gone: frozenset[int], now_us: int) -> Receipt:
    """The receipt of an answer that means "taken"; otherwise the error that says whether to try again."""
    status, text = answer.status, answer.text.strip()
    if 200 <= status < 300:
        return Receipt(status, text)
    said = f"{host} answered {status}" + (f": {clip(' '.join(text.split()), 200)}" if text else "")
    if status in gone:
        raise DeliveryGone(said, answer_status=status, answer_text=text)
    if status in _RETRIED or status >= 500:
        wait = retry_after(answer.headers, now_us)
        raise DeliveryFailed(said, retry_after=wait, answer_status=status, answer_text=text)
    if 300 <= status < 400:
        said = f"{host} answered {status}, a redirect, and those are not followed; use the final address"
    raise DeliveryRefused(said, answer_status=status, answer_text=text)


def retry_after(headers: httpx.Headers, now_us: int) -> float | None:
    """Seconds to wait by the Retry-After header (seconds or an HTTP date), between 0 and RETRY_AFTER_MAX.

    None when there is none or it cannot be read.
    """
    text = headers.get("retry-after", "").strip()
    try:
        seconds = float(text)
    except ValueError:
        try:
            moment = parsedate_to_datetime(text)
        except ValueError:
            return None
        # "-0000" means UTC without a claim to it; HTTP dates are always UTC.
        seconds = (to_us(moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - now_us) / MICROS
    return None if math.isnan(seconds) else min(max(seconds, 0.0), RETRY_AFTER_MAX)
