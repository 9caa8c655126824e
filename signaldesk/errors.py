"""One tree of errors. Each answers: what went wrong, where, what instead, and may it be tried again."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar, NamedTuple


class FieldError(NamedTuple):
    """One fault of one field; `field` is a path such as `when.at_least` or `events[3].type`."""

    field: str
    message: str


class SignalDeskError(Exception):
    """Base of every error of ours.

    `status` is the HTTP status it becomes, `code` a stable machine-readable name, `retry` whether the very
    same call may succeed later without anybody changing anything.
    """

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal_error"
    title: ClassVar[str] = "Something went wrong on our side"
    retry: ClassVar[bool] = False

    def __init__(
        self, detail: str = "", *, errors: Iterable[FieldError] = (), retry_after: float | None = None
    ):
        super().__init__(detail or self.title)
        self.detail = detail or self.title
        self.errors = tuple(errors)
        self.retry_after = retry_after
        """Seconds after which a retry makes sense, when that is known."""

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickled as it is, whatever its constructor takes: it may come from another process."""
        return _again, (type(self), self.args, self.__dict__)

    def headline(self) -> str:
        """The detail; with the field in front where it is no more than what is wrong with that."""
        one = self.errors[0] if len(self.errors) == 1 else None
        if one is not None and one.field and one.message == self.detail and one.field not in self.detail:
            return f"{one.field}: {self.detail}"
        return self.detail

    def told(self) -> list[str]:
        """Every fault as `field: message`, but those that the headline tells already."""
        if len(self.errors) == 1 and self.detail != self.title and self.errors[0].message in self.detail:
            return []  # a whole sentence made of it
        named = (
            (one.message, f"{one.field}: {one.message}" if one.field else one.message) for one in self.errors
        )
        return [shown for message, shown in named if message != self.detail and shown not in self.detail]

    def __str__(self) -> str:
        """The detail and every fault, for whoever sees the exception only, as people do in a notebook."""
        return "; ".join([self.headline(), *self.told()])


def _again(kind: type[SignalDeskError], args: tuple[Any, ...], what: dict[str, Any]) -> SignalDeskError:
    error = kind.__new__(kind, *args)
    error.__dict__.update(what)
    return error


class Invalid(SignalDeskError):
    """The input is wrong; `errors` lists every fault found, not only the first."""

    status, code, title = 422, "invalid", "The request is not valid"


class Malformed(Invalid):
    """The bytes are not HTTP, or not what their content type says."""

    status, code, title = 400, "malformed", "The request cannot be read"


class UnsupportedMediaType(Invalid):
    status, code, title = 415, "unsupported_media_type", "This content type is not accepted here"


class TooLarge(Invalid):
    status, code, title = 413, "too_large", "The body is too large"


class Unauthenticated(SignalDeskError):
    status, code, title = 401, "unauthenticated", "A valid API key or session is needed"


class Forbidden(SignalDeskError):
    status, code, title = 403, "forbidden", "This is not allowed with these credentials"


class NotFound(SignalDeskError):
    """Missing, or another organisation's: the answer is the same."""

    status, code, title = 404, "not_found", "There is nothing here"


class MethodNotAllowed(SignalDeskError):
    status, code, title = 405, "method_not_allowed", "This method is not supported here"


class NotAcceptable(SignalDeskError):
    status, code, title = 406, "not_acceptable", "There is no such format here"


class Conflict(SignalDeskError):
    status, code, title = 409, "conflict", "This clashes with what is already there"


class PreconditionFailed(SignalDeskError):
    """Somebody else changed it since it was read: read it again, and repeat the change on that."""

    status, code, title = 412, "precondition_failed", "This was changed by somebody else meanwhile"


class TooMany(SignalDeskError):
    status, code, title, retry = 429, "too_many_requests", "Too many requests", True


class Unavailable(SignalDeskError):
    """Postgres or Redis is away; nothing was taken, the same request may be sent again."""

    status, code, title, retry = 503, "unavailable", "The service cannot take this right now", True


class SettingsError(SignalDeskError):
    """The settings are wrong; the start stops here."""

    code, title = "settings", "The settings are not valid"


class EmbeddedError(SignalDeskError):
    """An embedded server could not be started."""

    code, title = "embedded", "A bundled server did not start"


class Fenced(SignalDeskError):
    """Another processor owns this partition now; whatever this one was about to write is void."""

    code, title, retry = "fenced", "The partition has a new owner", True


class DeliveryError(SignalDeskError):
    """A message could not be delivered; subclasses say whether another attempt may help.

    `answer_status` and `answer_text` are what the destination said, if it said anything.
    """

    code, title = "delivery", "The message was not delivered"

    def __init__(
        self,
        detail: str = "",
        *,
        retry_after: float | None = None,
        answer_status: int | None = None,
        answer_text: str | None = None,
    ):
        super().__init__(detail, retry_after=retry_after)
        self.answer_status = answer_status
        self.answer_text = answer_text


class DeliveryRefused(DeliveryError):
    """Trying again cannot help: the destination is wrong, gone or not allowed."""

    code = "delivery_refused"


class DeliveryGone(DeliveryRefused):
    """The destination says that it will never take a message again: its channel is switched off."""

    code = "delivery_gone"


class DeliveryFailed(DeliveryError):
    """Trying again may help; `retry_after` is the destination's own wish in seconds, if it told one."""

    code, retry = "delivery_failed", True
