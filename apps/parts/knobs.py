"""Sliders for the numbers of a rule: its limit, its durations, its cooldown."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import panel as pn
from pydantic import ValidationError

from apps import rule_draft
from apps.markup import Html, box
from apps.rule_fields import Field, form_of
from signaldesk.model import duration
from signaldesk.rules.document import kinds

STEPS = (
    *("1s", "2s", "5s", "10s", "15s", "30s", "1m", "2m", "3m", "5m", "10m", "15m", "20m", "30m", "1h", "2h"),
    *("3h", "4h", "6h", "8h", "12h", "1d", "2d", "3d", "7d", "14d", "30d"),
)
"""Lengths that people choose."""
MOST_KNOBS = 5
TICKS = 100
COOLDOWN = "cooldown"


class Knob(NamedTuple):
    """One slider: the path of its field in the document, and the values that it goes through."""

    path: str
    name: str
    """As `Rule.with_` knows it."""
    label: str
    values: tuple[Any, ...]
    """Texts for durations, numbers else."""
    at: int
    """The place of the present value among them."""


def knobs_of(body: Mapping[str, Any]) -> list[Knob]:
    """The sliders that fit a document; none for what is no rule of a known kind."""
    when = body.get("when")
    if not isinstance(when, Mapping) or when.get("kind") not in kinds():
        return []
    form = form_of(str(when["kind"]))
    given = [one for one in form.limits if when.get(one.name) is not None]
    found = [_knob(one, when[one.name]) for one in given]
    for one in form.fields:
        value = rule_draft.get(when, one.name)
        if "." not in one.name and (value is not None or one.shape in ("number",)):
            found.append(_knob(one, value if value is not None else rule_draft.number(one.placeholder)))
    found = [_fitting(one, when) for one in found if one is not None]
    cooldown = _lengths(COOLDOWN, "Cooldown", body.get(COOLDOWN, "0s"), COOLDOWN, ("0s", *STEPS))
    return [one for one in [*found, cooldown] if one is not None][:MOST_KNOBS]


def _fitting(knob: Knob, when: Mapping[str, Any]) -> Knob:
    """The knob without the values that its kind would refuse; the present one stays."""
    condition = kinds()[str(when["kind"])].condition
    kept = []
    for at, value in enumerate(knob.values):
        try:
            condition.model_validate({**when, knob.name: value})
        except ValidationError:
            if at != knob.at:
                continue
        kept.append(value)
    return knob._replace(values=tuple(kept), at=kept.index(knob.values[knob.at]))


def _knob(field: Field, value: Any) -> Knob | None:
    path = f"when.{field.name}"
    label = field.label
    if field.shape == "duration":
        return _lengths(path, label, value, field.name, STEPS)
    if field.shape not in ("integer", "number", "share"):
        return None
    number = _number(value)
    if number is None:
        return None
    low = field.low if field.low is not None else min(0.0, 2 * number)
    high = max(2.5 * number, low + 19 if field.shape == "integer" else low)
    if high <= low:
        high = low + 1
    if field.high is not None:
        high = min(high, field.high)
    if field.shape == "integer":
        low, high = int(low), int(min(max(high, number), 10**6))
        step = max(1, (high - low) // TICKS)
        values: list[Any] = list(range(low, high + 1, step))
    else:
        values = [_rounded(low + (high - low) * tick / TICKS) for tick in range(TICKS + 1)]
        values = [one for one in values if field.shape != "number" or one != low or field.low is None]
    return _placed(path, field.name, label, values, number)


def _lengths(path: str, label: str, value: Any, name: str, steps: tuple[str, ...]) -> Knob | None:
    try:
        micros = duration.parse(value)
    except ValueError:
        return None
    known = {duration.parse(step) for step in steps} | {micros}
    texts = [duration.text(one) for one in sorted(known)]
    return Knob(path, name, label, tuple(texts), texts.index(duration.text(micros)))


def _placed(path: str, name: str, label: str, values: list[Any], value: Any) -> Knob:
    found = sorted({*values, value})
    return Knob(path, name, label, tuple(found), found.index(value))


def _number(value: Any) -> Any:
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, int | float):
        return int(value) if float(value).is_integer() else float(value)
    text = str(value).strip()
    if text.endswith("%"):
        number = rule_draft.number(text.removesuffix("%"))
        return None if isinstance(number, str) else number / 100
    found = rule_draft.number(text)
    return None if isinstance(found, str) else found


def _rounded(value: float) -> Any:
    found = float(f"{value:.3g}")
    return int(found) if found.is_integer() else found


_LOOK = """
.noUi-target { background: var(--sunken); border: 1px solid var(--line-strong); box-shadow: none; }
.noUi-connect { background: var(--accent) !important; }
.noUi-handle {
  background: var(--surface); border: 2px solid var(--accent); border-radius: 50%; box-shadow: none;
}
.noUi-handle::before, .noUi-handle::after { display: none; }
.noUi-handle:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
.bk-slider-title { display: none; }
"""
"""The sliders carry it into their own shadow roots."""


class Knobs(pn.viewable.Viewer):
    """The sliders of one rule. `changed(path, value)` is called for each move of one by a person."""

    def __init__(self, changed: Callable[[str, Any], None], **params: object) -> None:
        super().__init__(**params)
        self._changed = changed
        self._knobs: list[Knob] = []
        self._sliders: list[pn.widgets.IntSlider] = []
        self._names: list[Html] = []
        self._drawing = False
        self._box = box("knobs")

    @property
    def knobs(self) -> list[Knob]:
        return self._knobs

    def draw(self, body: Mapping[str, Any]) -> None:
        """Show the document's numbers; sliders that fit already are only moved."""
        knobs = knobs_of(body)
        self._drawing = True
        try:
            if [one.path for one in knobs] == [one.path for one in self._knobs]:
                self._move(knobs)
            else:
                self._sliders = [self._slider(place, one) for place, one in enumerate(knobs)]
                self._names = [Html("bare") for _ in knobs]
                self._knobs = knobs
                pairs = zip(self._names, self._sliders, strict=True)
                self._box[:] = [box("knob-cell", name, slider) for name, slider in pairs]
            self._name()
        finally:
            self._drawing = False

    def turn(self, path: str, value: Any) -> None:
        """Move a slider, as a person would."""
        place = [one.path for one in self._knobs].index(path)
        self._sliders[place].value = self._knobs[place].values.index(value)

    def _name(self) -> None:
        for piece, knob in zip(self._names, self._knobs, strict=True):
            piece.fill("tuner/knob.html", label=knob.label, value=knob.values[knob.at])

    def _move(self, knobs: list[Knob]) -> None:
        for place, (slider, knob, before) in enumerate(zip(self._sliders, knobs, self._knobs, strict=True)):
            value = knob.values[knob.at]
            if value == before.values[before.at]:
                continue
            kept = before if value in before.values else knob
            kept = kept._replace(at=kept.values.index(value))
            slider.param.update(end=len(kept.values) - 1, value=kept.at)
            self._knobs[place] = kept

    def _slider(self, place: int, knob: Knob) -> pn.widgets.IntSlider:
        """It goes through the places of the values: Panel's own slider for a list of values runs a script
        of its own, which our content policy does not allow."""
        slider = pn.widgets.IntSlider(
            label="", start=0, end=max(1, len(knob.values) - 1), value=knob.at, show_value=False,
            sizing_mode="stretch_width", margin=0, css_classes=["knob"], stylesheets=[_LOOK],
        )  # fmt: skip

        def moved(event: Any) -> None:
            if self._drawing:
                return
            kept = self._knobs[place] = self._knobs[place]._replace(at=event.new)
            self._name()
            self._changed(kept.path, kept.values[kept.at])

        slider.param.watch(moved, "value")
        return slider

    def __panel__(self) -> pn.viewable.Viewable:
        return self._box
