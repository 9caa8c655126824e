"""What every channel kind offers, and what it is given to work with."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, NamedTuple, Protocol, TypeVar
from uuid import UUID

from signaldesk.channels._config import ChannelConfig
from signaldesk.channels.outbound import Outbound
from signaldesk.clock import Clock
from signaldesk.errors import FieldError, Invalid
from signaldesk.model.message import Message

Publish = Callable[[UUID, dict[str, Any]], Awaitable[None]]
"""Tells the open pages of an organisation something; nothing depends on its arrival."""


class Mail(NamedTuple):
    """A mail without sender and recipients."""

    subject: str
    html: str
    text: str


class Mailer(Protocol):
    """A way to send mail: SMTP or a provider's API."""

    async def send(self, mail: Mail, *, to: tuple[str, ...], id: UUID) -> Receipt:
        """Send once; `id` is the same when a mail is sent again. Raises DeliveryRefused, DeliveryFailed."""
        ...


class Receipt(NamedTuple):
    """What the destination said when it took the message; free of secrets."""

    status: int | None = None
    text: str | None = None


@dataclass(frozen=True, slots=True)
class Means:
    """What channels send with; built once per process."""

    outbound: Outbound
    clock: Clock
    publish: Publish
    mailer: Mailer | None = None


C = TypeVar("C", bound=ChannelConfig)


class Channel(ABC, Generic[C]):
    """One kind of channel. Holds no state: one instance serves every organisation."""

    kind: ClassVar[str]
    """Its name in the API and in the database; also the prefix of inline targets (`email:…`)."""
    title: ClassVar[str]
    """Its name for people."""
    config: type[C]
    example: ClassVar[dict[str, Any]]
    """A configuration that is valid, for documentation, forms and the conformance suite."""

    @abstractmethod
    def render(self, message: Message) -> Any:
        """The message in the destination's own shape: pure, within its size limits, tenant text escaped."""

    @abstractmethod
    async def send(self, config: C, message: Message, means: Means) -> Receipt:
        """Send once.

        Raises DeliveryFailed when trying again may help (with `retry_after` if the destination said when),
        DeliveryRefused when it cannot, DeliveryGone when the destination will never work again.
        """

    def inline(self, target: str) -> dict[str, Any] | None:
        """The configuration of a target written inside a rule, the part after `kind:`; None: not offered."""
        return None

    def prepared(self, config: C) -> tuple[C, dict[str, str]]:
        """The configuration of a new channel with what the kind makes itself, and what is shown just once."""
        return config, {}

    def rotated(self, config: C) -> tuple[C, dict[str, str]]:
        """The configuration with a fresh secret beside the old one, and what is shown just once.

        Raises Invalid for kinds whose secrets are not made here.
        """
        fault = FieldError("kind", f"{self.title} has no secret that SignalDesk makes")
        raise Invalid("this channel has no secret to rotate", errors=[fault])
