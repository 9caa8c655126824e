"""Mail, handed to a real SMTP server and to Resend's API."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from ipaddress import ip_network
from typing import Any
from uuid import UUID

import pytest
import trustme
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from signaldesk.channels.email import CHANNEL, EmailConfig
from signaldesk.channels.kinds import Mailer, Means
from signaldesk.channels.mailers import ResendMailer, SmtpMailer, mailer
from signaldesk.channels.outbound import Outbound
from signaldesk.clock import ManualClock
from signaldesk.errors import DeliveryError, DeliveryFailed, DeliveryRefused, SettingsError
from signaldesk.model.message import Message
from tests.support.endpoint import answers, endpoint
from tests.support.messages import firing_message

FROM = "SignalDesk <desk@example.com>"
TO = EmailConfig(to=("oncall@example.com", "boss@example.com"))
PASSWORD = "s3cret-p@ss/word"


class Post:
    """What the server's handler keeps, and what it answers."""

    def __init__(self) -> None:
        self.envelopes: list[Envelope] = []
        self.recipient_answers: dict[str, str] = {}
        self.data_answer = "250 2.0.0 queued as 4711"
        self.port = 0

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        answer = self.recipient_answers.get(address, "250 OK")
        if answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        self.envelopes.append(envelope)
        return self.data_answer

    def mail(self) -> EmailMessage:
        content = self.envelopes[-1].original_content
        assert content is not None
        found = message_from_bytes(content, policy=policy.default)
        assert isinstance(found, EmailMessage)
        return found


def _authenticate(
    server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any
) -> AuthResult:
    right = isinstance(data, LoginPassword) and (data.login, data.password) == (b"desk", PASSWORD.encode())
    return AuthResult(success=right, handled=False)


@asynccontextmanager
async def mail_server(
    *, tls: ssl.SSLContext | None = None, start_tls: bool = False, **more: Any
) -> AsyncIterator[Post]:
    post = Post()
    context = tls if start_tls else None

    def session() -> SMTP:
        return SMTP(post, tls_context=context, hostname="mail.test", loop=asyncio.get_running_loop(), **more)

    server = await asyncio.get_running_loop().create_server(
        session, "127.0.0.1", 0, ssl=None if start_tls else tls
    )
    post.port = server.sockets[0].getsockname()[1]
    try:
        yield post
    finally:
        server.close()
        await server.wait_closed()


def means(mailer: Mailer | None) -> Means:
    async def publish(org_id: UUID, told: dict[str, Any]) -> None: ...

    return Means(outbound=Outbound.guarded(), clock=ManualClock(), publish=publish, mailer=mailer)


async def send(by: Mailer | None, message: Message | None = None) -> Any:
    return await CHANNEL.send(TO, message or firing_message(), means(by))


async def failure(by: Mailer | None) -> DeliveryError:
    with pytest.raises(DeliveryError) as raised:
        await send(by)
    return raised.value


def smtp(post: Post, scheme: str = "smtp", log_in: str = "", **more: Any) -> SmtpMailer:
    return SmtpMailer(f"{scheme}://{log_in}127.0.0.1:{post.port}", mail_from=FROM, **more)


# --- SMTP --------------------------------------------------------------------------------------------------


async def test_a_mail_arrives_as_text_and_as_html() -> None:
    message = firing_message(group={"city": "Zürich ☃"})
    async with mail_server() as post:
        receipt = await send(smtp(post), message)
    mail = post.mail()
    assert (receipt.status, "queued as 4711" in (receipt.text or "")) == (250, True)
    assert post.envelopes[0].rcpt_tos == list(TO.to)
    assert (mail["From"], mail["To"]) == (FROM, "oncall@example.com, boss@example.com")
    assert mail["Subject"] == "[CRITICAL] Checkout failures by country (city = Zürich ☃)"
    assert (mail["Message-ID"], mail["Auto-Submitted"]) == (f"<{message.id}@example.com>", "auto-generated")
    text, html = mail.get_body(("plain",)), mail.get_body(("html",))
    assert text is not None and "city: Zürich ☃" in text.get_content()
    assert html is not None and "<details>" in html.get_content()


async def test_a_mail_that_is_sent_again_has_the_same_message_id() -> None:
    message = firing_message()
    async with mail_server() as post:
        for _ in range(2):
            await send(smtp(post), message)
            assert post.mail()["Message-ID"] == f"<{message.id}@example.com>"


async def test_nobody_can_write_headers_through_a_rules_name() -> None:
    async with mail_server() as post:
        await send(smtp(post), firing_message(rule_name="a\r\nBcc: evil@example.com", org="b\nX-Evil: 1"))
    assert post.mail()["Bcc"] is None
    assert post.envelopes[0].rcpt_tos == list(TO.to)


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ("451 try later", DeliveryFailed),
        ("421 shutting down", DeliveryFailed),
        ("552 too big", DeliveryRefused),
        ("550 spam", DeliveryRefused),
    ],
)
async def test_a_4xx_answer_is_tried_again_and_a_5xx_one_is_not(
    answer: str, kind: type[DeliveryError]
) -> None:
    async with mail_server() as post:
        post.data_answer = answer
        error = await failure(smtp(post))
    assert type(error) is kind
    assert error.answer_status == int(answer[:3])


async def test_a_mail_that_some_recipients_take_is_sent_and_says_who_did_not() -> None:
    async with mail_server() as post:
        post.recipient_answers["boss@example.com"] = "550 unknown"
        receipt = await send(smtp(post))
    assert "refused: boss@example.com" in (receipt.text or "")


@pytest.mark.parametrize(
    ("first", "second", "kind"),
    [("550 unknown", "550 unknown", DeliveryRefused), ("550 unknown", "450 busy", DeliveryFailed)],
)
async def test_a_mail_that_nobody_takes_is_tried_again_if_anybody_may_yet(
    first: str, second: str, kind: type[DeliveryError]
) -> None:
    async with mail_server() as post:
        post.recipient_answers = {"oncall@example.com": first, "boss@example.com": second}
        assert type(await failure(smtp(post))) is kind


async def test_a_mail_server_that_is_not_there_is_tried_again() -> None:
    async with mail_server() as post:
        pass
    assert isinstance(await failure(smtp(post)), DeliveryFailed)


@pytest.fixture(scope="module")
def tls() -> tuple[ssl.SSLContext, ssl.SSLContext]:
    authority = trustme.CA()
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("127.0.0.1").configure_cert(server)
    authority.configure_trust(client)
    return server, client


@pytest.mark.filterwarnings("ignore:Requiring AUTH")
@pytest.mark.parametrize(("scheme", "start_tls"), [("smtps", False), ("smtp+starttls", True), ("smtp", True)])
async def test_the_password_goes_over_tls(
    scheme: str, start_tls: bool, tls: tuple[ssl.SSLContext, ssl.SSLContext]
) -> None:
    log_in = "desk:s3cret-p%40ss%2Fword@"
    required: dict[str, Any] = {
        "auth_required": True,
        "authenticator": _authenticate,
        "auth_require_tls": start_tls,
    }
    async with mail_server(tls=tls[0], start_tls=start_tls, **required) as post:
        await send(smtp(post, scheme, log_in, tls=tls[1]))
    assert len(post.envelopes) == 1


async def test_starttls_that_was_asked_for_is_not_done_without() -> None:
    async with mail_server() as post:
        error = await failure(smtp(post, "smtp+starttls", "desk:s3cret-p%40ss%2Fword@"))
    assert isinstance(error, DeliveryFailed)
    assert post.envelopes == []


@pytest.mark.filterwarnings("ignore:Requiring AUTH")
async def test_a_wrong_password_is_the_operators_to_mend_and_stays_out_of_the_error() -> None:
    required: dict[str, Any] = {
        "auth_required": True,
        "authenticator": _authenticate,
        "auth_require_tls": False,
    }
    async with mail_server(**required) as post:
        error = await failure(smtp(post, log_in="desk:wrong-password@"))
    assert isinstance(error, DeliveryFailed)
    assert "wrong-password" not in f"{error!r} {error.answer_text}"


# --- Resend ------------------------------------------------------------------------------------------------


@pytest.fixture
def resend() -> Any:
    @asynccontextmanager
    async def opened() -> AsyncIterator[tuple[Any, ResendMailer]]:
        outbound = Outbound.guarded(allow=[ip_network("127.0.0.0/8")])
        async with endpoint() as server:
            url = f"http://127.0.0.1:{server.port}/emails"
            yield (
                server,
                ResendMailer("re_key", mail_from=FROM, outbound=outbound, clock=ManualClock(), url=url),
            )
            await outbound.close()

    return opened


Resend = Any


async def test_resend_gets_the_mail_with_an_idempotency_key(resend: Resend) -> None:
    message = firing_message()
    opened: AbstractAsyncContextManager[Any] = resend()
    async with opened as (server, by):
        server.behaviour = answers(200, b'{"id": "1"}')
        await send(by, message)
    (request,) = server.received
    body = request.json()
    assert request.headers["authorization"] == "Bearer re_key"
    assert request.headers["idempotency-key"] == str(message.id)
    assert (body["from"], body["to"]) == (FROM, list(TO.to))
    assert "<details>" in body["html"]
    assert message.summary in body["text"]


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (429, DeliveryFailed),
        (500, DeliveryFailed),
        (401, DeliveryFailed),
        (409, DeliveryFailed),
        (422, DeliveryRefused),
    ],
)
async def test_what_resend_answers_decides_whether_to_try_again(
    status: int, kind: type[DeliveryError], resend: Resend
) -> None:
    async with resend() as (server, by):
        server.behaviour = answers(status, b"the key re_key is wrong")
        error = await failure(by)
    assert type(error) is kind
    assert "re_key" not in f"{error!r} {error.answer_text}"


# --- settings ----------------------------------------------------------------------------------------------


def chosen(**more: Any) -> Mailer | None:
    plain: dict[str, Any] = {"smtp_url": None, "resend_api_key": None, "mail_from": FROM}
    return mailer(**{**plain, **more}, outbound=Outbound.guarded(), clock=ManualClock())


def test_the_settings_choose_the_way() -> None:
    assert chosen() is None
    assert isinstance(chosen(smtp_url="smtp://localhost"), SmtpMailer)
    assert isinstance(chosen(resend_api_key="re_key"), ResendMailer)


@pytest.mark.parametrize(
    "wrong", [{"smtp_url": "smtp://"}, {"smtp_url": "smtp://h:x"}, {"mail_from": "nobody"}]
)
def test_settings_that_cannot_be_used_stop_the_start(wrong: dict[str, str]) -> None:
    with pytest.raises(SettingsError) as error:
        chosen(**{"smtp_url": "smtp://localhost", **wrong})
    assert error.value.errors


async def test_without_a_way_to_send_mail_the_channel_says_what_the_operator_must_do() -> None:
    error = await failure(None)
    assert isinstance(error, DeliveryRefused)
    assert "SIGNALDESK_SMTP_URL" in error.detail
