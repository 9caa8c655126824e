"""The tuner in a notebook: the rule builder's own component, with a button that saves."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any, Literal, Protocol

import panel as pn

from signaldesk import statements
from signaldesk.backtest import labels as labelled
from signaldesk.backtest.bench import Bench
from signaldesk.backtest.rule import Rule, given
from signaldesk.errors import Invalid, SignalDeskError
from signaldesk.pages_folder import load_apps

_BUTTONS = """
:host { --primary-color: var(--accent); }
:host .bk-btn.bk-btn-default { background: var(--surface); color: var(--ink); }
:host .bk-btn-group .bk-btn.bk-btn-default.bk-active {
  background: var(--accent-soft); color: var(--on-soft);
}
:host .bk-btn.bk-btn-primary { color: var(--accent-ink); }
"""
"""In the design's colours, not in Panel's."""
_BOX = ":host { background: var(--bg); color: var(--ink); border-radius: var(--r-md); padding: var(--s3); }"
_DARK = ':host-context([data-jp-theme-light="false"]), :host-context([data-vscode-theme-kind$="dark"])'
"""Where JupyterLab or VS Code is dark."""
_PAINT = """
const page = document.body.dataset;
const dark = page.jpThemeLight === "false" || (page.vscodeThemeKind ?? "").endsWith("dark");
const palette = PALETTES[dark ? 1 : 0];
for (const model of models) {
  for (const tag of model.tags) {
    if (!String(tag).startsWith(PREFIX)) continue;
    const [name, token] = tag.slice(PREFIX.length).split(":");
    model[name] = palette[token];
  }
}
"""
MODES = {"Shadow: only records": "shadow", "Live: tells people": "live"}


class Saves(Protocol):
    """A desk, as far as the tuner needs one."""

    def save(self, rule: Rule, *, mode: Literal["live", "shadow"]) -> Any: ...


class NotebookTuner(pn.viewable.Viewer):  # type: ignore[misc]  # Panel has no types
    """Sliders, chart, sweep and a button. `rule` is the rule as it is now, `backtest` what came of it."""

    def __init__(self, rule: Rule, bench: Bench, *, desk: Saves | None = None, **params: Any) -> None:
        from apps.markup import Html
        from apps.parts.tuner import Tuner

        super().__init__(**params)
        self._desk = desk
        self.tuner = Tuner(rule.document, bench, changed=self._changed)
        looks: dict[str, Any] = {"margin": (0, 10, 0, 0), "stylesheets": [_BUTTONS]}
        _follow_theme(self.tuner.chart.figure)
        self.mode = pn.widgets.RadioButtonGroup(options=MODES, value="shadow", label="Mode", **looks)
        self.button = pn.widgets.Button(label="Save", color="primary", **looks)
        self.button.on_click(self._save)
        self._said = Html("bare")
        saving = [self.mode, self.button] if desk is not None else []
        self._box = pn.Column(
            self.tuner.__panel__(), pn.Row(*saving, margin=(14, 0, 8, 0)), self._said,
            stylesheets=[_tokens(), _BOX], css_classes=["notebook"], sizing_mode="stretch_width",
        )  # fmt: skip
        self.tuner.judge_now()
        self._show()

    @property
    def rule(self) -> Rule:
        """Raises Invalid when the sliders say no rule, which they do not."""
        return Rule(self.tuner.body)

    @property
    def backtest(self) -> Any:
        """What came of the rule as it is now; None while it is being judged."""
        return self.tuner.tried.found if self.tuner.tried else None

    def _changed(self, _body: dict[str, Any]) -> None:
        self._show()

    def _save(self, _event: Any) -> None:
        assert self._desk is not None
        try:
            saved = self._desk.save(self.rule, mode="live" if self.mode.value == "live" else "shadow")
        except SignalDeskError as error:
            faults = "; ".join(f"{fault.field} {fault.message}".strip() for fault in error.errors)
            self._show(fault=faults or error.detail)
            return
        self._show(saved=f"Saved as {saved.name}, version {saved.version}")

    def _show(self, *, saved: str = "", fault: str = "") -> None:
        from apps.rule_words import as_yaml

        self._said.fill("tuner/notebook.html", text=as_yaml(self.rule.document), saved=saved, fault=fault)

    def __panel__(self) -> pn.viewable.Viewable:
        return self._box


def tune(
    rule: Rule, events: Any, *, labels: labelled.Given, others: Sequence[Rule], desk: Saves | None
) -> NotebookTuner:
    """`sd.tune` says what they are."""
    given(rule)
    if desk is not None and not hasattr(desk, "save"):
        raise Invalid(f"desk: a {type(desk).__name__} is no desk; give sd.connect(…)")
    load_apps()
    if _in_notebook():
        pn.extension(inline=True)  # with its scripts: a notebook need not reach anybody else's server
    known, loaded = labelled.known(labels), rule.loaded(events, others)
    bench = Bench(loaded, labels=known, others=[one.model for one in others])
    return NotebookTuner(rule, bench, desk=desk)


def _in_notebook() -> bool:
    try:
        from IPython import get_ipython  # type: ignore[import-not-found, unused-ignore]
    except ImportError:
        return False
    shell = get_ipython()
    return shell is not None and hasattr(shell, "kernel")


def _follow_theme(figure: Any) -> None:
    """Paint the chart, which no style sheet reaches, as soon as it has its size, in the notebook's theme."""
    from bokeh.models import CustomJS

    from apps.themed import PREFIX, colours

    palettes = json.dumps([colours(dark=False), colours(dark=True)])
    models = [one for one in figure.references() if one.tags]
    code = _PAINT.replace("PALETTES", palettes).replace("PREFIX", json.dumps(PREFIX))
    figure.js_on_change("inner_width", CustomJS(args={"models": models}, code=code))


def _tokens() -> str:
    """The design's colours and sizes, for a part that stands by itself; its fonts stay the notebook's."""
    text = (statements.folder("apps") / "static" / "tokens.css").read_text(encoding="utf-8")
    text = re.sub(r"@font-face \{.*?\}\n", "", text, flags=re.DOTALL)
    return text.replace(":root", ":host", 1).replace('[data-theme="dark"]', _DARK, 1)
