"""The form of the rule builder: a rule's document as fields, and as YAML.

It is drawn anew only when something else than typing changed the document: what somebody types in stays.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import tzinfo
from typing import Any, NamedTuple

import panel as pn
from bokeh.core.properties import String
from bokeh.model import DataModel

from apps import rule_draft, rule_words
from apps.markup import Html, box
from apps.rule_fields import Field, Form, form_of
from signaldesk.model.active import DAYS
from signaldesk.model.rule import SEVERITIES
from signaldesk.rules.document import kinds

KINDS = {
    "count": ("so many in a window", "M5 19v-4M10 19v-7M15 19V9M20 19V5"),
    "ratio": ("a share of all", "M12 3a9 9 0 109 9h-9zM16 3.5A9 9 0 0120.5 8"),
    "aggregate": ("a value worked out of many", "M18 5H6l6 7-6 7h12"),
    "change": ("rose or fell against before", "M4 17l6-6 4 4 6-8M15 7h5v5"),
    "absence": ("what should come does not", "M4 12h3M10 12h.5M13.500 12h.5M17 12h3M12 4v2M12 18v2"),
    "sequence": ("one after another, or not", "M4 12h4M16 12h4M8 9h8v6H8zM12 4v2"),
    "new_value": ("something not seen before", "M12 4v16M4 12h16M7 7l10 10M17 7L7 17"),
    "anomaly": ("unlike anything usual", "M3 15c3 0 3-3 5-3s2 3 4 3 1-11 3-11 2 11 4 11h2"),
    "composite": ("several rules at once", "M9 5a6 6 0 100 12A6 6 0 009 5zM15 7a6 6 0 11-3 11"),
    "each": ("every matching event", "M5 7h14M5 12h14M5 17h14"),
}
"""Of each kind, in the order of the picker: what it catches (as its page's title says), and a drawing."""
MODES = (
    ("live", "Live: tells people"),
    ("shadow", "Shadow: only records"),
    ("paused", "Paused"),
)


class KindCard(NamedTuple):
    """A kind as the picker shows it."""

    name: str
    words: str
    icon: str


class Known(NamedTuple):
    """What the organisation has, to be offered."""

    types: Sequence[str] = ()
    fields: Sequence[str] = ()
    channels: Sequence[str] = ()
    rules: Sequence[str] = ()


class Draft(DataModel):
    """The line between the form in the browser and its page, both ways JSON; see `builder.js`."""

    sent = String("")
    """`{"turn": n, "form": …}` or `{"turn": n, "yaml": …}`."""
    answer = String("")
    """`{"turn": n, "document": …, "faults": [{"field", "message"}]}`."""


class RuleForm(pn.viewable.Viewer):
    """The pieces of the form. `draft` carries what is typed; `draw` shows a document."""

    def __init__(self, *, zone: tzinfo, **params: object) -> None:
        super().__init__(**params)
        self._zone = getattr(zone, "key", "UTC")
        self._turn = 0
        self._kind = ""
        self.draft = Draft(name="draft")
        self._picker = Html("bare", tags=[self.draft])
        self._basics, self._offers, self._condition = Html("bare"), Html("bare"), Html("bare")
        self._rest, self._yaml = Html("bare"), Html("bare")
        self._form = box("form-parts", self._basics, self._offers, self._picker, self._condition, self._rest)
        self._card = box("card builder-form", self._form, self._yaml)

    def show(self, tab: str) -> None:
        """Show the fields (`form`) or the text (`yaml`)."""
        # Not by `visible`: rules of the page for its parts would show them all the same.
        self._form.css_classes = ["form-parts", *(["off"] if tab == "yaml" else [])]
        self._yaml.css_classes = ["bare", *(["off"] if tab != "yaml" else [])]

    def draw(
        self, body: Mapping[str, Any], known: Known, *, form: bool = True, text: str | None = None
    ) -> None:
        """Show a document. `form`: in the fields, too; they are left alone while somebody types in them.
        `text`: left as it is when somebody types there."""
        self._turn += 1
        self.offer(known)
        if form:
            self._draw_fields(body, known)
            self._draw_rest(body, known)
        self.draw_kind(body, known, anew=form)
        if text is None:
            self._yaml.fill("builder/yaml.html", text=rule_words.as_yaml(body), turn=self._turn)

    def offer(self, known: Known) -> None:
        """Show fields to choose from."""
        self._offers.fill("builder/offers.html", fields=known.fields)

    def draw_kind(self, body: Mapping[str, Any], known: Known, *, anew: bool) -> None:
        """The picker and the parameters of the kind; only if it is another one, or `anew`."""
        given = body.get("when")
        when: Mapping[str, Any] = given if isinstance(given, Mapping) else {}
        kind = str(when.get("kind"))
        kind = kind if kind in kinds() else rule_draft.DEFAULT_KIND
        if not anew and kind == self._kind:
            return
        before = kinds().get(self._kind)
        if not anew and before is not None and before.takes_event != kinds()[kind].takes_event:
            self._draw_fields(body, known)
        self._kind = kind
        cards = [KindCard(name, words, icon) for name, (words, icon) in KINDS.items()]
        doc = (kinds()[kind].condition.__doc__ or "").partition("\n")[0]
        self._picker.fill("builder/picker.html", kinds=cards, chosen=kind, help=doc.replace("`", ""))
        form = form_of(kind)
        limit = _limit(form, when)
        stepped = any(one.shape == "steps" for one in form.fields)
        self._condition.fill(
            "builder/condition.html",
            form=form, limit=limit, limit_value=_text(when.get(limit)),
            values={one.name: _shown(one, rule_draft.get(when, one.name)) for one in form.fields},
            steps=(when.get("steps") or [{}, {}]) if stepped else None, types=known.types,
            fields=known.fields, rules=known.rules if kind == "composite" else (),
            joined=rule_draft.joined, turn=self._turn,
        )  # fmt: skip

    def _draw_fields(self, body: Mapping[str, Any], known: Known) -> None:
        kind = kinds().get(str(rule_draft.get(body, "when.kind")))
        self._basics.fill(
            "builder/basics.html",
            body=body, takes_event=kind.takes_event if kind else True, types=known.types,
            joined=rule_draft.joined, turn=self._turn,
        )  # fmt: skip

    def _draw_rest(self, body: Mapping[str, Any], known: Known) -> None:
        told = body.get("notify", ())
        told = [told] if isinstance(told, str) else list(told)
        more = ("for", "repeat", "allowed_lateness", "active", "resolve.threshold")
        self._rest.fill(
            "builder/rest.html",
            body=body, more=any(rule_draft.get(body, name) is not None for name in more),
            told=told, offered=[*told, *(one for one in known.channels if one not in told)],
            severities=tuple(reversed(SEVERITIES)), labels=list(body.get("labels", {}).items()) or [("", "")],
            days=DAYS, modes=MODES, zone=self._zone, joined=rule_draft.joined, turn=self._turn,
        )  # fmt: skip

    def __panel__(self) -> pn.viewable.Viewable:
        return self._card


def _shown(field: Field, value: Any) -> str:
    if field.shape == "texts" and value is not None:
        return rule_draft.joined(value)
    return _text(value)


def _limit(form: Form, when: Mapping[str, Any]) -> str:
    """The one of the limits that is given, or else the usual one; empty for a kind without."""
    names = [one.name for one in form.limits]
    given = [name for name in names if when.get(name) is not None]
    usual = [name for name in names if name == "at_least"]
    return next(iter((*given, *usual, *names)), "")


def _text(value: Any) -> str:
    """A number without needless digits; nothing for nothing."""
    if value is None or isinstance(value, list | dict):
        return ""
    whole = isinstance(value, float) and value.is_integer() and abs(value) < 1e15
    return str(int(value)) if whole else str(value)
