"""The rule builder: a rule as a form and as YAML, checked while it is typed, saved through the API."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import urlencode
from uuid import UUID

import panel as pn

from apps import rule_draft, rule_words
from apps.markup import Html, box
from apps.page import Message, Page, Query, Visit
from apps.parts.rule_form import Known, RuleForm
from apps.parts.tuner import DELAY_S, Tuner
from signaldesk.backtest.looks import paths
from signaldesk.catalog import files
from signaldesk.catalog.changes import compare
from signaldesk.catalog.yaml_text import canonical
from signaldesk.clock import MICROS
from signaldesk.errors import FieldError, Invalid, SignalDeskError
from signaldesk.log import get_logger
from signaldesk.model.rule import Mode, Rule
from signaldesk.model.rule_page import RuleDetail, RuleLine, RuleWanted
from signaldesk.model.shadow import live_name, shadow_name
from signaldesk.rules import document

log = get_logger(__name__)

SPANS = {"24 h": 24, "7 d": 7 * 24, "30 d": 30 * 24}
"""Hours that the preview looks back, by their names."""
SHADOW = Mode.SHADOW.value
_LOOKED_THROUGH = 50
"""Rules whose texts hold a name, which comes first among them."""
_NOTHING = "Shows here what this rule would have done with your own events."
MOST = 200_000
"""Characters of a draft that are read."""


class _Target(NamedTuple):
    """Where a draft is saved, as which version's follower, and under which name if not its own."""

    path: str
    method: str
    version: int
    name: str = ""


class RuleBuilder(pn.viewable.Viewer):
    """The page: `?rule=` changes one, `?copy=` begins with another one's text, `?kind=` and `?event=` with
    these; `?tab=yaml` shows the text."""

    def __init__(self, visit: Visit, **params: Any) -> None:
        super().__init__(**params)
        self._data = visit.rules
        self._clock = visit.clock
        self._query = visit.query
        self._may_edit = visit.may_edit
        self._detail: RuleDetail | None = None
        self._beside: RuleLine | None = None
        """The rule that runs in the shadow of the one at hand, or in whose shadow that one runs."""
        self._known = Known()
        self._body: dict[str, Any] = {}
        self._rule: Rule | None = None
        self._faults: list[FieldError] = []
        self._turn = 0
        self.form = RuleForm(zone=visit.zone)
        self.form.draft.on_change("sent", self._sent)
        self._acts, self._said = Html("bare heads"), Html("card")
        self.actions = self._acts
        self._past = visit.past
        self.tuner = Tuner({}, absent=_NOTHING, zone=visit.zone, dark=visit.dark, changed=self._moved)
        self._loads: set[asyncio.Task[None]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._looked_at: Any = None
        preview = box("card", self.tuner.picture, self.tuner.knobs.__panel__())
        side = box("side-by", preview, box("row pair", self.tuner.heat, self._said))
        self.body = box("page", box("row builder", self.form.__panel__(), side))

    async def load(self, now_us: int) -> None:
        self._loop = asyncio.get_running_loop()
        types, channels, names = await asyncio.gather(
            self._data.types(now_us), self._data.channels(), self._data.names()
        )
        self._known = Known(types, (), channels, names)
        self._detail = await self._chosen("rule", now_us)
        self._beside = await self._twin(now_us)
        self.tuner.against, self.tuner.against_name = self._held_against()
        copied = await self._chosen("copy", now_us)
        source = self._detail or copied
        body = dict(canonical(source.line.body)) if source else _begun(self._query)
        if copied and not self._detail:
            body["name"] = f"{body.get('name', '')} (copy)"[:200]
        self._known = self._known._replace(fields=await self._data.fields(_types(body), now_us))
        self._take(body)
        self.form.draw(self._body, self._known)
        self._draw()
        self._try_out()

    def receive(self, messages: Sequence[Message], now_us: int) -> None:
        """What happens elsewhere does not change what somebody types here."""

    async def refresh(self, now_us: int) -> bool:
        return False

    def draw(self, now_us: int) -> None:
        self._draw()

    async def navigate(self, query: Query, now_us: int) -> None:
        """Another tab shows the same draft; anything else begins anew."""
        same = all(query.get(name) == self._query.get(name) for name in ("rule", "copy", "kind", "event"))
        self._query = query
        if same:
            self._draw()
            self._try_out()
        else:
            await self.load(now_us)

    def close(self) -> None:
        """Nobody looks any more: let go of the events of the preview."""
        for task in self._loads:
            task.cancel()
        self.tuner.close()

    def _sent(self, _name: str, _old: str, text: str) -> None:
        """The browser tells what the form, or the text, says now."""
        try:
            given = json.loads(text[:MOST])
            turn = int(given["turn"])
        except (ValueError, TypeError, KeyError):
            return
        before = self._body
        if "yaml" in given:
            self._take_text(str(given["yaml"]))
            self.form.draw(self._body, self._known, text=str(given["yaml"]))
        else:
            try:
                self._take(rule_draft.document(given["form"]))
            except (AttributeError, TypeError, KeyError):
                return  # no form of ours sends that
            self.form.draw(self._body, self._known, form=False)
        self._turn = turn
        self._answer()
        self._draw()
        self._try_out()
        if _types(before) != _types(self._body):
            self._look_up()

    def _take(self, body: dict[str, Any]) -> None:
        """The draft is this document from now on."""
        self._body, self._rule, self._faults = body, None, []
        try:
            self._rule = document.parse(body)
        except Invalid as error:
            self._faults = list(error.errors)

    def _take_text(self, text: str) -> None:
        found = files.parse_text(text, "line")
        faults = list(found.faults)
        documents = found.documents
        if len(documents) != 1 and not faults:
            faults = [FieldError("", f"expected one rule, found {len(documents)}")]
        if faults or not isinstance(documents[0], dict):
            said = "; ".join(f"{fault.field} {fault.message}".strip() for fault in faults)
            self._rule, self._faults = None, [FieldError("yaml", said or "expected the fields of a rule")]
            return
        self._take(documents[0])
        source = found.rules[0]
        lines = [f"line {source.line(fault.field)}: {fault.field} {fault.message}" for fault in self._faults]
        if lines:
            self._faults.append(FieldError("yaml", "; ".join(lines)))

    def _moved(self, body: dict[str, Any]) -> None:
        """Somebody moved a slider of the tuner: the form and the text follow."""
        self._take(body)
        self.form.draw(self._body, self._known)
        self._answer()
        self._draw()

    # --- the preview -----------------------------------------------------------------------------------

    def _try_out(self) -> None:
        """Show what the draft would have done; its events are asked for when it looks at others."""
        rule = self.tuner.take(self._body)
        if rule is None:
            return
        others = () if self.tuner.against is None else (self.tuner.against,)
        looked_at = (self._span, *map(_watched, (rule, *others)))
        if looked_at == self._looked_at:
            return
        self._looked_at = looked_at
        self.tuner.take(self._body, absent="Looking for the events of this rule…")
        try:
            asyncio.get_running_loop()
        except RuntimeError:  # Bokeh 3.10 tells in a thread what the browser changed
            assert self._loop is not None
            self._loop.call_soon_threadsafe(self._begin_load, rule, looked_at)
        else:
            self._begin_load(rule, looked_at)

    def _begin_load(self, rule: Rule, looked_at: Any) -> None:
        for task in self._loads:  # of what was wanted before, which may not have begun yet
            task.cancel()
        task = asyncio.create_task(self._load(rule, looked_at))
        self._loads.add(task)
        task.add_done_callback(self._loads.discard)

    async def _load(self, rule: Rule, looked_at: Any) -> None:
        await asyncio.sleep(DELAY_S)  # whoever writes a filter names other fields with each word
        now = self._clock.now_us()
        bench, absent = None, ""
        try:
            since = now - SPANS[self._span] * 3600 * MICROS
            bench = await self._past.bench(rule, since, now, against=self.tuner.against)
        except SignalDeskError as error:
            absent = "; ".join(fault.message for fault in error.errors) or error.detail
            if error.retry:
                self._looked_at = None
        except Exception:
            # The edge of a task that nobody waits for: it is said, and the page goes on.
            log.exception("the events of a preview could not be read")
            absent = "The events could not be read; the server's log says why."
        if self._looked_at in (looked_at, None):
            self.tuner.take(self._body, bench, absent)

    @property
    def _span(self) -> str:
        span = self._query.get("span", "")
        return span if span in SPANS else next(iter(SPANS))

    def _answer(self) -> None:
        faults = [fault._asdict() for fault in self._faults]
        said = {
            "turn": self._turn,
            "document": self._rule.document() if self._rule else None,
            "faults": faults,
        }
        self.form.draft.answer = json.dumps(said)

    def _look_up(self) -> None:
        """Ask which fields the events of these types have; they are offered from the next drawing on."""
        doc = self.form.draft.document
        if doc is None:
            return

        async def ask() -> None:
            fields = await self._data.fields(_types(self._body), self._clock.now_us())
            if fields != self._known.fields:
                self._known = self._known._replace(fields=fields)
                self.form.offer(self._known)

        doc.add_next_tick_callback(ask)

    def _draw(self) -> None:
        line = self._detail.line if self._detail else None
        tab = "yaml" if self._query.get("tab") == "yaml" else "form"
        self.form.show(tab)
        self.tuner.spans = [(name, self._link(span=name), name == self._span) for name in SPANS]
        self._acts.fill(
            "builder/acts.html",
            tab=tab, link=lambda tab: self._link(tab=tab), may_edit=self._may_edit,
            path=f"/api/v1/rules/{line.id}" if line else "/api/v1/rules", method="PUT" if line else "POST",
            version=line.version if line else 0, words=f"Save version {line.version + 1}" if line else "Save",
            shadow=self._in_shadow(),
        )  # fmt: skip
        words = rule_words.sentence(self._body) if self._rule else ""
        first = next(iter(self._faults), None)
        self._said.fill(
            "builder/said.html",
            words=words, missing=f"{first.field} {first.message}" if first else "", may_edit=self._may_edit,
            anew=self._anew(), changes=self._changes(), version=line.version if line else 0,
        )  # fmt: skip

    def _changes(self) -> list[rule_words.Changed]:
        if self._detail is None or self._rule is None:
            return []
        fields = compare(canonical(self._detail.line.body), canonical(self._rule.document()))
        return rule_words.changed(fields)

    def _anew(self) -> bool:
        """Whether saving would change what is judged."""
        if self._detail is None or self._rule is None:
            return False
        before = _parsed(self._detail.line.body)
        return before is None or document.fingerprint(before) != document.fingerprint(self._rule)

    async def _twin(self, now_us: int) -> RuleLine | None:
        """The rule `NAME (shadow)` of the live rule NAME, or the other way round."""
        line = self._detail.line if self._detail else None
        if line is None:
            return None
        other = live_name(line.name) if line.mode == SHADOW else shadow_name(line.name)
        if other == line.name:
            return None
        found = await self._data.listed(RuleWanted(text=other), now_us, _LOOKED_THROUGH)
        return next((one for one in found.lines if one.name == other), None)

    def _held_against(self) -> tuple[Rule | None, str]:
        """The rule that the draft is compared with: what is saved, and for one in the shadow the live one."""
        line = self._detail.line if self._detail else None
        if line is not None and line.mode == SHADOW and self._beside is not None:
            return _parsed(self._beside.body), f"the live rule {self._beside.name}"
        return (None if line is None else _parsed(line.body)), "what is saved"

    def _in_shadow(self) -> _Target:
        """Where the draft is saved as shadow: beside a rule that tells people, which goes on doing so."""
        line, beside = self._detail.line if self._detail else None, self._beside
        if line is None:
            return _Target("/api/v1/rules", "POST", 0)
        if line.mode == SHADOW:
            return _Target(f"/api/v1/rules/{line.id}", "PUT", line.version)
        if beside is not None:
            return _Target(f"/api/v1/rules/{beside.id}", "PUT", beside.version, beside.name)
        return _Target("/api/v1/rules", "POST", 0, shadow_name(line.name))

    def _link(self, **changes: str) -> str:
        return "?" + urlencode({**self._query, **changes})

    async def _chosen(self, name: str, now_us: int) -> RuleDetail | None:
        try:
            rule_id = UUID(self._query.get(name, ""))
        except ValueError:
            return None
        return await self._data.detail(rule_id, now_us)

    def __panel__(self) -> pn.viewable.Viewable:
        return self.body


def _parsed(body: Mapping[str, Any]) -> Rule | None:
    """The rule as it is saved, as far as it is still one."""
    try:
        return document.parse(dict(body))
    except Invalid:
        return None


def _begun(query: Query) -> dict[str, Any]:
    """The document that a new rule begins with."""
    kind = query.get("kind", "")
    kind = kind if kind in document.kinds() else rule_draft.DEFAULT_KIND
    example = document.kinds()[kind].example()
    # Numbers are a good beginning; names of somebody's events or rules are not.
    when = {name: value for name, value in example.items() if not isinstance(value, list)}
    found: dict[str, Any] = {"when": when}
    if event := query.get("event", "")[:200]:
        found["event"] = event
    return {**found, "cooldown": "5m"}


def _watched(rule: Rule) -> tuple[Any, ...]:
    """What must be at hand to judge a rule: events or the rules that it is made of, and fields."""
    kind = document.kinds()[rule.when.kind]
    fields = paths([rule])
    return (kind.events(rule), kind.parts(rule.when), None if fields is None else frozenset(fields))


def _types(body: Mapping[str, Any]) -> tuple[str, ...]:
    event = body.get("event", ())
    return (event,) if isinstance(event, str) else tuple(one for one in event or () if isinstance(one, str))


async def _open(visit: Visit) -> RuleBuilder:
    page = RuleBuilder(visit)
    await page.load(visit.clock.now_us())
    return page


PAGE = Page(
    path="/rule-builder", title="Rule builder", icon="M12 5v14M5 12h14", order=41, open=_open, below="/rules"
)
