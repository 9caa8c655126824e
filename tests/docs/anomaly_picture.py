"""Draws `docs/rules/anomaly.svg`, a made-up shop and its detector: `python -m tests.docs.anomaly_picture`."""

from __future__ import annotations

import math
import random

from signaldesk.rules._anomaly.detector import THRESHOLD, Detector, Finding
from tests.docs.pages import DOCS

PICTURE = DOCS / "rules" / "anomaly.svg"
_BIN = 5 * 60_000_000
_DAY = 288
_DAYS, _SHOWN = 12, 3
_EVERY = 3
"""So many values to a point of the line."""
_LEFT, _TOP, _WIDTH, _HEIGHT = 20, 34, 600, 150


def orders() -> list[float]:
    """Orders in five minutes: few at night, many at noon; in the end three things go wrong."""
    chance = random.Random(4)
    values = [
        max(0.0, 60 - 50 * math.cos(2 * math.pi * i / _DAY) + chance.gauss(0, 4)) for i in range(_DAYS * _DAY)
    ]
    first = (_DAYS - _SHOWN) * _DAY
    for i in range(first + 140, first + 143):
        values[i] = chance.uniform(0, 3)  # nothing can be bought at noon
    values[first + 435] = 190  # a crowd
    for i in range(first + 590, first + 640):
        values[i] = 95 + chance.gauss(0, 4)  # as at noon, but at night
    return values


def picture() -> str:
    """The last days of it as SVG, readable on a dark and on a light page."""
    values, detector = orders(), Detector()
    findings = [detector.add(i * _BIN + _BIN // 2, value) for i, value in enumerate(values)]
    shown = range((_DAYS - _SHOWN) * _DAY, _DAYS * _DAY)
    top = max(values[i] for i in shown)

    def place(i: int, value: float) -> str:
        x = _LEFT + _WIDTH * (i - shown[0]) / len(shown)
        return f"{x:.1f},{_TOP + _HEIGHT * (1 - value / top):.1f}"

    usual = " ".join(place(i, findings[i].expected) for i in shown[::_EVERY])
    line = " ".join(place(i, values[i]) for i in shown[::_EVERY])
    found = [place(i, values[i]).split(",") for i in shown if _begins(findings[i])]
    marks = [
        f'  <circle cx="{x}" cy="{y}" r="5" fill="none" stroke="#e5484d" stroke-width="2"/>' for x, y in found
    ]
    return "\n".join(
        [
            '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 640 200" width="640" height="200"',
            '     role="img" font-family="system-ui, sans-serif">',
            "  <title>anomaly: what is unusual for its time of the day fires once</title>",
            '  <text x="20" y="20" fill="#7d8590" font-size="12">orders in 5 minutes; dashed: usual</text>',
            f'  <polyline points="{usual}" fill="none" stroke="#8b949e" stroke-dasharray="3 3"/>',
            f'  <polyline points="{line}" fill="none" stroke="#3b82f6" stroke-width="1.5"/>',
            *marks,
            "</svg>\n",
        ]
    )


def _begins(finding: Finding) -> bool:
    return finding.score >= THRESHOLD and not finding.resting


if __name__ == "__main__":
    PICTURE.write_text(picture(), encoding="utf-8")
