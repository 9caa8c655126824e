"""The composition root: builds everything from the settings, opens it and closes it. Nothing else does.

What only some processes need is imported when it is built: a command that lists keys needs no engine.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from signaldesk.accounts.keys import ApiKeys, KeyRing
from signaldesk.accounts.orgs import Orgs
from signaldesk.accounts.passwords import Passwords
from signaldesk.accounts.sessions import Sessions
from signaldesk.accounts.users import Users
from signaldesk.clock import MICROS, Clock, SystemClock
from signaldesk.settings import Settings, Urls
from signaldesk.store.alert_story import AlertStory
from signaldesk.store.alerts import AlertStore
from signaldesk.store.database import Database
from signaldesk.store.days import Days
from signaldesk.store.eventlog import EventLog
from signaldesk.store.health import Health
from signaldesk.store.history_book import HistoryBook
from signaldesk.store.housekeeping import Housekeeping
from signaldesk.store.labels import LabelStore
from signaldesk.store.ledger import Ledger
from signaldesk.store.notifications import NotificationStore
from signaldesk.store.rule_history import RuleHistory
from signaldesk.store.silences import SilenceStore
from signaldesk.stream import client
from signaldesk.stream.events import EventStream
from signaldesk.stream.health import StreamHealth
from signaldesk.stream.news import News
from signaldesk.stream.windows import WindowStore

if TYPE_CHECKING:
    from signaldesk.backtest.jobs.jobs import Jobs
    from signaldesk.catalog.channels import ChannelCatalog
    from signaldesk.catalog.rules import RuleCatalog
    from signaldesk.channels.kinds import Means
    from signaldesk.channels.outbound import Outbound
    from signaldesk.delivery.dispatcher import Dispatcher
    from signaldesk.engine.explain import Explainer
    from signaldesk.engine.processor import Processor
    from signaldesk.history.archive import Archiver
    from signaldesk.history.finding import EventFinder
    from signaldesk.history.history import History
    from signaldesk.history.holdings import Holdings
    from signaldesk.history.keep import Keeper
    from signaldesk.history.queries import Queries
    from signaldesk.history.rebuild import Rebuilder
    from signaldesk.history.sandbox.launcher import Launcher
    from signaldesk.history.shelf import Shelf
    from signaldesk.intake.appender import Appender
    from signaldesk.intake.intake import Intake

__all__ = ["Desk", "Urls", "opened"]


class Desk:
    """Everything of one process, each thing built when first asked for."""

    def __init__(
        self,
        settings: Settings,
        urls: Urls,
        *,
        clock: Clock | None = None,
        role: str = "desk",
        launcher: Launcher | None = None,
    ) -> None:
        """`launcher` starts the processes of queries; one that is given is left open for other desks."""
        self.settings = settings
        self.urls = urls
        self.clock: Clock = clock or SystemClock()
        self.role = role
        self._launcher = launcher

    # --- drivers ---------------------------------------------------------------------------------------

    @cached_property
    def database(self) -> Database:
        return Database(self.urls.database, application=f"signaldesk {self.role}")

    @cached_property
    def redis(self) -> client.Redis:
        return client.connect(self.urls.redis)

    @cached_property
    def stream(self) -> EventStream:
        return EventStream(self.redis)

    @cached_property
    def news(self) -> News:
        return News(self.redis)

    # --- rooms -----------------------------------------------------------------------------------------

    @cached_property
    def key_ring(self) -> KeyRing:
        return KeyRing(database=self.database, news=self.news, clock=self.clock)

    @cached_property
    def api_keys(self) -> ApiKeys:
        return ApiKeys(database=self.database, news=self.news, clock=self.clock)

    @cached_property
    def orgs(self) -> Orgs:
        return Orgs(database=self.database)

    @cached_property
    def users(self) -> Users:
        return Users(database=self.database, passwords=Passwords())

    @cached_property
    def sessions(self) -> Sessions:
        return Sessions(database=self.database, clock=self.clock)

    @cached_property
    def alerts(self) -> AlertStore:
        return AlertStore(database=self.database)

    @cached_property
    def alert_story(self) -> AlertStory:
        return AlertStory(database=self.database)

    @cached_property
    def silences(self) -> SilenceStore:
        return SilenceStore(database=self.database)

    @cached_property
    def labels(self) -> LabelStore:
        return LabelStore(database=self.database)

    @cached_property
    def events(self) -> EventLog:
        return EventLog(database=self.database)

    @cached_property
    def event_finder(self) -> EventFinder:
        from signaldesk.history.finding import EventFinder

        return EventFinder(self.events, self.history)

    @cached_property
    def notifications(self) -> NotificationStore:
        return NotificationStore(database=self.database)

    @cached_property
    def health(self) -> Health:
        return Health(database=self.database)

    @cached_property
    def stream_health(self) -> StreamHealth:
        return StreamHealth(self.redis)

    @cached_property
    def housekeeping(self) -> Housekeeping:
        return Housekeeping(database=self.database, clock=self.clock)

    @cached_property
    def rules(self) -> RuleCatalog:
        from signaldesk.catalog.rules import RuleCatalog

        return RuleCatalog(database=self.database, stream=self.stream, clock=self.clock)

    @cached_property
    def explainer(self) -> Explainer:
        from signaldesk.engine.explain import Explainer
        from signaldesk.history.finding import WholePast
        from signaldesk.store.past import Past

        past = WholePast(Past(database=self.database), self.events, self.history)
        return Explainer(database=self.database, past=past, lateness=self.settings.allowed_lateness * MICROS)

    @cached_property
    def queries(self) -> Queries:
        from signaldesk.history.queries import Queries
        from signaldesk.history.sandbox.limits import Limits

        settings = self.settings
        limits = Limits(
            seconds=settings.query_seconds,
            memory=settings.query_memory,
            rows=settings.query_rows,
            result=settings.query_result,
            threads=min(2, os.cpu_count() or 1),
        )
        return Queries(
            holdings=lambda: self.holdings,
            limits=limits,
            at_once=settings.query_at_once,
            at_once_per_org=settings.query_at_once_per_org,
            launcher=self._launcher,
        )

    @cached_property
    def backtests(self) -> Jobs:
        from signaldesk.backtest.jobs.jobs import Jobs, Limits
        from signaldesk.backtest.jobs.order import Place
        from signaldesk.store.backtests import BacktestStore

        settings = self.settings
        return Jobs(
            store=BacktestStore(database=self.database),
            rules=self.rules,
            labels=self.labels,
            place=Place(
                self.urls.database, settings.history_url, str(settings.data_dir), settings.history_days
            ),
            limits=Limits(
                settings.backtest_seconds,
                settings.backtest_memory,
                settings.backtest_at_once,
                settings.backtest_at_once_per_org,
            ),
            lateness=settings.allowed_lateness * MICROS,
            clock=self.clock,
        )

    @cached_property
    def holdings(self) -> Holdings:
        """What queries read from. Loads DuckDB and Arrow, which takes most of a second."""
        from signaldesk.history.holdings import Holdings
        from signaldesk.store.extract import Extract

        return Holdings(Extract(self.urls.database), self.history)

    @cached_property
    def shelf(self) -> Shelf:
        from signaldesk.history.shelf import shelf

        return shelf(self.settings.history_url, self.settings.data_dir)

    @cached_property
    def history(self) -> History:
        from signaldesk.history.history import History
        from signaldesk.store.arrow_events import ArrowEvents

        return History(
            book=self.history_book,
            events=ArrowEvents(self.urls.database),
            shelf=self.shelf,
            kept_days=self.settings.history_days,
        )

    @cached_property
    def archiver(self) -> Archiver:
        from signaldesk.history.archive import Archiver
        from signaldesk.store.arrow_events import ArrowEvents

        events = ArrowEvents(self.urls.database)
        return Archiver(book=self.history_book, events=events, shelf=self.shelf, clock=self.clock)

    @cached_property
    def history_keeper(self) -> Keeper:
        from signaldesk.history.keep import Keeper
        from signaldesk.store.arrow_events import ArrowEvents

        return Keeper(
            book=self.history_book,
            events=ArrowEvents(self.urls.database),
            shelf=self.shelf,
            clock=self.clock,
            kept_days=self.settings.history_days,
            stored_days=self.settings.stored_days,
        )

    @cached_property
    def history_rebuilder(self) -> Rebuilder:
        from signaldesk.history.rebuild import Rebuilder

        return Rebuilder(book=self.history_book, shelf=self.shelf)

    @cached_property
    def history_book(self) -> HistoryBook:
        return HistoryBook(self.urls.database, clock=self.clock)

    @cached_property
    def rule_history(self) -> RuleHistory:
        return RuleHistory(database=self.database)

    @cached_property
    def appender(self) -> Appender:
        from signaldesk.intake.appender import Appender

        return Appender(self.stream, self.clock)

    @cached_property
    def intake(self) -> Intake:
        from signaldesk.intake.intake import Intake

        settings = self.settings
        return Intake(
            stream=self.stream,
            appender=self.appender,
            clock=self.clock,
            max_body=settings.max_body_bytes,
            max_batch=settings.max_batch_bytes,
            max_events=settings.max_batch_events,
            clock_skew=settings.clock_skew,
        )

    @cached_property
    def outbound(self) -> Outbound:
        from signaldesk.channels.outbound import Outbound

        return Outbound.guarded(allow=self.settings.outbound_allow)

    @cached_property
    def means(self) -> Means:
        """What channels send with."""
        from signaldesk.channels.kinds import Means
        from signaldesk.channels.mailers import mailer

        settings = self.settings
        smtp, resend = settings.smtp_url, settings.resend_api_key
        mail = mailer(
            smtp_url=smtp.get_secret_value() if smtp else None,
            resend_api_key=resend.get_secret_value() if resend else None,
            mail_from=settings.mail_from,
            outbound=self.outbound,
            clock=self.clock,
        )
        return Means(outbound=self.outbound, clock=self.clock, publish=self.news.publish, mailer=mail)

    @cached_property
    def channels(self) -> ChannelCatalog:
        from signaldesk.catalog.channels import ChannelCatalog

        return ChannelCatalog(database=self.database, means=self.means, announce=self.rules.announce)

    def dispatcher(self) -> Dispatcher:
        """A new dispatcher; it must be built inside the running event loop."""
        from signaldesk.delivery.dispatcher import Dispatcher
        from signaldesk.store.bell import rings
        from signaldesk.store.outbox import Outbox

        return Dispatcher(
            outbox=Outbox(self.database), means=self.means, listen=lambda: rings(self.urls.database)
        )

    def ledger(self, owner: str) -> Ledger:
        return Ledger(self.urls.database, owner=owner, storm_after=self.settings.storm_after)

    def processor(self) -> Processor:
        """A new processor; it must be built inside the running event loop."""
        from signaldesk.engine.notices import composer
        from signaldesk.engine.processor import Processor
        from signaldesk.engine.pulse import Pulse
        from signaldesk.engine.tools import Tools

        settings = self.settings
        owner = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"
        tools = Tools(
            stream=self.stream,
            open_windows=lambda partition: WindowStore(self.redis, partition),
            pulse=Pulse(self.news, self.clock),
            days=Days(self.urls.database),
            lookups=self.ledger(owner),
            lookups_lock=asyncio.Lock(),
            compose=composer(settings.base_url),
            lateness=settings.allowed_lateness * MICROS,
            checkpoint_every=settings.checkpoint_every,
            clock=self.clock,
        )
        return Processor(
            leases=self.ledger(owner),
            open_ledger=lambda: self.ledger(owner),
            tools=tools,
            clock=self.clock,
            lease=settings.lease,
        )

    # --- the rest --------------------------------------------------------------------------------------

    @cached_property
    def secret_key(self) -> str:
        """Signs cookies: from the settings, or made once and kept in the data folder."""
        if self.settings.secret_key is not None:
            return self.settings.secret_key.get_secret_value()
        return _kept_secret(self.settings.data_dir / "secret.key")

    async def close(self) -> None:
        """Close what was opened."""
        built = self.__dict__
        if "backtests" in built:
            await self.backtests.close()
        if "queries" in built:
            self.queries.close()
        if "appender" in built:
            await self.appender.close()
        if "outbound" in built:
            await self.outbound.close()
        if "database" in built:
            await self.database.close()
        if "redis" in built:
            await self.redis.aclose()


@asynccontextmanager
async def opened(settings: Settings, urls: Urls, *, role: str = "desk") -> AsyncIterator[Desk]:
    """A desk that is closed at the end of the block."""
    desk = Desk(settings, urls, role=role)
    try:
        yield desk
    finally:
        await desk.close()


def _kept_secret(path: Path) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileExistsError):
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(secrets.token_hex(32))
    return path.read_text(encoding="ascii")
