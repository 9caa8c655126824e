"""What the web server works with; the composition root fills it in."""

from __future__ import annotations

from dataclasses import dataclass, field
from uuid import UUID

from prometheus_client import CollectorRegistry

from signaldesk.accounts.keys import ApiKeys, KeyRing
from signaldesk.accounts.sessions import Sessions
from signaldesk.accounts.throttle import Throttle
from signaldesk.accounts.users import Users
from signaldesk.backtest.benches import Benches
from signaldesk.backtest.jobs.jobs import Jobs
from signaldesk.backtest.room import Room
from signaldesk.catalog.channels import ChannelCatalog
from signaldesk.catalog.rules import RuleCatalog
from signaldesk.clock import MICROS, Clock
from signaldesk.engine.explain import Explainer
from signaldesk.history.finding import EventFinder
from signaldesk.history.history import History
from signaldesk.history.queries import Queries
from signaldesk.intake.intake import Intake
from signaldesk.settings import Settings
from signaldesk.store.alert_story import AlertStory
from signaldesk.store.alerts import AlertStore
from signaldesk.store.database import Database
from signaldesk.store.inbox import InboxQueries
from signaldesk.store.labels import LabelStore
from signaldesk.store.notifications import NotificationStore
from signaldesk.store.overview import OverviewQueries
from signaldesk.store.quiet import QuietQueries
from signaldesk.store.rule_history import RuleHistory
from signaldesk.store.rule_page import RulePageQueries
from signaldesk.store.silences import SilenceStore
from signaldesk.stream.news import News
from signaldesk.stream.tickets import Tickets
from signaldesk.web.hub import Hub
from signaldesk.web.plant import Plant


@dataclass(frozen=True, slots=True)
class Services:
    """Everything a request may need. One object per process; none of it is built here."""

    settings: Settings
    clock: Clock
    secret: bytes
    """Signs cookies and tokens; at least 32 bytes."""
    database: Database
    news: News
    hub: Hub
    users: Users
    sessions: Sessions
    throttle: Throttle
    keys: ApiKeys
    ring: KeyRing
    tickets: Tickets
    intake: Intake
    rules: RuleCatalog
    rule_history: RuleHistory
    explainer: Explainer
    queries: Queries
    backtests: Jobs
    history: History
    channels: ChannelCatalog
    alerts: AlertStore
    alert_story: AlertStory
    silences: SilenceStore
    labels: LabelStore
    events: EventFinder
    notifications: NotificationStore
    registry: CollectorRegistry
    plant: Plant
    previews: Room = field(default_factory=Room)

    def inbox(self, org_id: UUID) -> InboxQueries:
        return InboxQueries(database=self.database, org_id=org_id, older=self.events.older)

    def silence_page(self, org_id: UUID) -> QuietQueries:
        return QuietQueries(database=self.database, org_id=org_id)

    def rule_page(self, org_id: UUID) -> RulePageQueries:
        return RulePageQueries(database=self.database, org_id=org_id)

    def benches(self, org_id: UUID) -> Benches:
        return Benches(
            history=self.history, rules=self.rules, labels=self.labels, room=self.previews,
            lateness=self.settings.allowed_lateness * MICROS, org_id=org_id,
        )  # fmt: skip

    def overview(self, org_id: UUID) -> OverviewQueries:
        return OverviewQueries(database=self.database, org_id=org_id)
