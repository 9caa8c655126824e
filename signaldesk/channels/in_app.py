"""In-app: the open pages of the organisation, at once; whoever has none open finds it on the alert."""

from __future__ import annotations

from typing import Any, ClassVar

import msgspec

from signaldesk.channels._config import ChannelConfig
from signaldesk.channels._kind import Channel, Means, Receipt
from signaldesk.errors import DeliveryFailed, Unavailable
from signaldesk.model.message import Message


class InAppConfig(ChannelConfig):
    """Nothing to say: everybody of the organisation who has a page open."""


class InAppChannel(Channel[InAppConfig]):
    kind = "in_app"
    title = "In-app"
    config = InAppConfig
    example: ClassVar[dict[str, Any]] = {}

    def render(self, message: Message) -> dict[str, Any]:
        """Plain JSON with raw tenant text: the page escapes what it shows."""
        return {
            "kind": "notification",
            "id": str(message.id),
            "via": self.kind,
            "title": message.title,
            "summary": message.summary,
            "severity": message.severity,
            "message": msgspec.to_builtins(message),
        }

    async def send(self, config: InAppConfig, message: Message, means: Means) -> Receipt:
        try:
            await means.publish(message.org_id, self.render(message))
        except Unavailable as error:
            raise DeliveryFailed("live messages are not available right now", retry_after=1) from error
        return Receipt()


CHANNEL = InAppChannel()
