"""Two ways to send mail, chosen by the operator: a mail server, or Resend's API."""

from __future__ import annotations

import asyncio
import ssl
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import parseaddr
from urllib.parse import unquote, urlsplit
from uuid import UUID

import aiosmtplib
import msgspec

from signaldesk.channels._config import scrub
from signaldesk.channels._http import EXCERPT_CHARACTERS, judge
from signaldesk.channels._kind import Mail, Mailer, Receipt
from signaldesk.channels.outbound import Outbound
from signaldesk.clock import Clock
from signaldesk.errors import DeliveryError, DeliveryFailed, DeliveryRefused, FieldError, SettingsError
from signaldesk.model.message import clip

SMTP_SECONDS = 30.0
"""For one mail altogether."""
RESEND_URL = "https://api.resend.com/emails"


def mailer(
    *, smtp_url: str | None, resend_api_key: str | None, mail_from: str, outbound: Outbound, clock: Clock
) -> Mailer | None:
    """The way the settings choose; None when they choose none. SMTP wins when both are given."""
    if smtp_url:
        return SmtpMailer(smtp_url, mail_from=mail_from)
    if resend_api_key:
        return ResendMailer(resend_api_key, mail_from=mail_from, outbound=outbound, clock=clock)
    return None


class SmtpMailer:
    """Hands mail to a server: smtp:// (TLS when offered), smtp+starttls:// (TLS or nothing), smtps://.

    The operator chose the server, so it may be on a private network; the guard of tenants' addresses does not
    apply.
    """

    def __init__(self, url: str, *, mail_from: str, tls: ssl.SSLContext | None = None) -> None:
        """Raises SettingsError for a URL or a sender that cannot be used."""
        self._sender = _sender(mail_from)
        parts = urlsplit(url)
        try:
            self._host, self._port = parts.hostname or "", parts.port
        except ValueError:
            self._host = ""
        if not self._host:
            fault = FieldError("SIGNALDESK_SMTP_URL", "expected smtp://user:password@host:587")
            raise SettingsError("SIGNALDESK_SMTP_URL names no host", errors=[fault])
        self._user = unquote(parts.username) if parts.username else None
        self._password = unquote(parts.password) if parts.password else None
        self._use_tls = parts.scheme == "smtps"
        self._start_tls = {"smtp+starttls": True, "smtps": False}.get(parts.scheme)
        self._tls = tls

    async def send(self, mail: Mail, *, to: tuple[str, ...], id: UUID) -> Receipt:
        message = self._composed(mail, to, id)
        try:
            async with asyncio.timeout(SMTP_SECONDS):
                refused, said = await aiosmtplib.send(
                    message,
                    hostname=self._host,
                    port=self._port,
                    username=self._user,
                    password=self._password,
                    use_tls=self._use_tls,
                    start_tls=self._start_tls,
                    tls_context=self._tls,
                    # Without it the machine's own name is looked up, which blocks the event loop.
                    local_hostname=self._sender.domain or "localhost",
                )
        except (aiosmtplib.SMTPException, OSError, ValueError) as error:
            raise self._fault(error) from None
        left_out = f"; refused: {', '.join(refused)}" if refused else ""
        return Receipt(250, clip(said + left_out, EXCERPT_CHARACTERS))

    def _composed(self, mail: Mail, to: tuple[str, ...], id: UUID) -> EmailMessage:
        message = EmailMessage()
        message["From"] = self._sender
        message["To"] = ", ".join(to)
        message["Subject"] = mail.subject
        message["Message-ID"] = f"<{id}@{self._sender.domain or 'localhost'}>"
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(mail.text)
        message.add_alternative(mail.html, subtype="html")
        return message

    def _fault(self, error: Exception) -> DeliveryError:
        """What the server's refusal means: 4xx try again, 5xx never.

        A wrong log-in is the operator's to mend, and no reason to give up on a message yet.
        """
        if isinstance(error, aiosmtplib.SMTPRecipientsRefused):
            refusals = error.recipients
            text = "; ".join(f"{refusal.recipient}: {refusal.message}" for refusal in refusals)
            return self._answered(min(refusal.code for refusal in refusals), text)
        if isinstance(error, aiosmtplib.SMTPAuthenticationError):
            return DeliveryFailed("the mail server does not take our log-in", answer_status=error.code)
        if isinstance(error, aiosmtplib.SMTPResponseException):
            return self._answered(error.code, error.message)
        if isinstance(error, TimeoutError):
            return DeliveryFailed("the mail server did not answer in time")
        return DeliveryFailed(f"the mail server could not be used: {self._safe(str(error))}")

    def _answered(self, code: int, text: str) -> DeliveryError:
        kind = DeliveryFailed if code < 500 else DeliveryRefused
        safe = self._safe(text)
        return kind(f"the mail server answered {code}: {safe}", answer_status=code, answer_text=safe)

    def _safe(self, text: str) -> str:
        return clip(scrub(text, [self._password] if self._password else []), EXCERPT_CHARACTERS)


class ResendMailer:
    """Sends through https://resend.com; a mail that is sent again with the same id is dropped there."""

    def __init__(
        self, api_key: str, *, mail_from: str, outbound: Outbound, clock: Clock, url: str = RESEND_URL
    ) -> None:
        self._key = api_key
        self._from = str(_sender(mail_from))
        self._outbound = outbound
        self._clock = clock
        self._url = url

    async def send(self, mail: Mail, *, to: tuple[str, ...], id: UUID) -> Receipt:
        body = {"from": self._from, "to": to, "subject": mail.subject, "html": mail.html, "text": mail.text}
        headers = {
            "authorization": f"Bearer {self._key}",
            "content-type": "application/json",
            "idempotency-key": str(id),
        }
        answer = await self._outbound.post(self._url, content=msgspec.json.encode(body), headers=headers)
        safe = answer._replace(text=clip(scrub(answer.text, [self._key]), EXCERPT_CHARACTERS))
        if safe.status in (401, 403, 409):
            # 409: the attempt before this one is still being worked on; 401 and 403: the operator's to mend.
            detail = f"Resend answered {safe.status}: {safe.text}"
            raise DeliveryFailed(detail, answer_status=safe.status, answer_text=safe.text)
        host = urlsplit(self._url).hostname or ""
        return judge(safe, host=host, gone=frozenset(), now_us=self._clock.now_us())


def _sender(mail_from: str) -> Address:
    name, address = parseaddr(mail_from)
    try:
        return Address(display_name=name, addr_spec=address)
    except (ValueError, IndexError):
        fault = FieldError("SIGNALDESK_MAIL_FROM", "expected SignalDesk <alerts@example.com>")
        raise SettingsError("SIGNALDESK_MAIL_FROM is not an e-mail address", errors=[fault]) from None
