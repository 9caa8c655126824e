"""The constructors of rules, as type checkers and editors see them.

Made of the kinds' parameters by `python -m tests.docs`; when Python runs, `Rule` makes them itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal, SupportsFloat, SupportsIndex

if TYPE_CHECKING:
    from signaldesk.backtest.rule import Rule

    Whole = int | SupportsIndex  # NumPy's as well
    Number = float | SupportsFloat
    Duration = str | Number | timedelta


class Constructors(type):
    """One for every kind of rule, by its name."""

    if TYPE_CHECKING:

        def absence(
            cls,
            event: str | Sequence[str] = ...,
            *,
            within: Duration | None = ...,
            expected: Mapping[str, Any] | None = ...,
            name: str = ...,
            where: str | None = ...,
            by: str | Sequence[str] = ...,
            for_: Duration = ...,
            cooldown: Duration = ...,
            repeat: Duration | None = ...,
            allowed_lateness: Duration | None = ...,
            resolve: Mapping[str, Any] | None = ...,
            active: Mapping[str, Any] | None = ...,
            severity: Literal["info", "warning", "error", "critical"] = ...,
            notify: str | Sequence[str] = ...,
            labels: Mapping[str, Any] = ...,
            runbook: str | None = ...,
            description: str = ...,
            mode: Literal["live", "shadow", "paused"] = ...,
        ) -> Rule:
            """Holds when no matching event of the group has come for `within`, or by a moment of the
            schedule."""
            ...

        def aggregate(
            cls,
            event: str | Sequence[str] = ...,
            *,
            above: Number | None = ...,
            at_least: Number | None = ...,
            below: Number | None = ...,
            at_most: Number | None = ...,
            function: str,
            field: str,
            within: Duration,
            min_events: Whole = ...,
            name: str = ...,
            where: str | None = ...,
            by: str | Sequence[str] = ...,
            for_: Duration = ...,
            cooldown: Duration = ...,
            repeat: Duration | None = ...,
            allowed_lateness: Duration | None = ...,
            resolve: Mapping[str, Any] | None = ...,
            active: Mapping[str, Any] | None = ...,
            severity: Literal["info", "warning", "error", "critical"] = ...,
            notify: str | Sequence[str] = ...,
            labels: Mapping[str, Any] = ...,
            runbook: str | None = ...,
            description: str = ...,
            mode: Literal["live", "shadow", "paused"] = ...,
        ) -> Rule:
            """Holds when a function of the values in (t - within, t] compares so with a number."""
            ...

        def anomaly(
            cls,
            event: str | Sequence[str] = ...,
            *,
            bin: Duration,
            function: Literal["count", "sum", "avg", "min", "max"] = ...,
            field: str | None = ...,
            direction: Literal["up", "down", "both"] = ...,
            score: Number = ...,
            min_history: Duration = ...,
            settle: Duration = ...,
            timezone: str = ...,
            name: str = ...,
            where: str | None = ...,
            by: str | Sequence[str] = ...,
            for_: Duration = ...,
            cooldown: Duration = ...,
            repeat: Duration | None = ...,
            allowed_lateness: Duration | None = ...,
            resolve: Mapping[str, Any] | None = ...,
            active: Mapping[str, Any] | None = ...,
            severity: Literal["info", "warning", "error", "critical"] = ...,
            notify: str | Sequence[str] = ...,
            labels: Mapping[str, Any] = ...,
            runbook: str | None = ...,
            description: str = ...,
            mode: Literal["live", "shadow", "paused"] = ...,
        ) -> Rule:
            """Holds when a bin of time ends whose figure is more unusual than `score`, for its hour and
            weekday."""
            ...

        def change(
            cls,
            event: str | Sequence[str] = ...,
            *,
            rise: Number | str | None = ...,
            fall: Number | str | None = ...,
            rise_by: Number | None = ...,
            fall_by: Number | None = ...,
            function: Literal["count", "sum", "avg"] = ...,
            field: str | None = ...,
            within: Duration,
            against: Literal["previous", "day", "week"] = ...,
            min_events: Whole = ...,
            name: str = ...,
            where: str | None = ...,
            by: str | Sequence[str] = ...,
            for_: Duration = ...,
            cooldown: Duration = ...,
            repeat: Duration | None = ...,
            allowed_lateness: Duration | None = ...,
            resolve: Mapping[str, Any] | None = ...,
            active: Mapping[str, Any] | None = ...,
            severity: Literal["info", "warning", "error", "critical"] = ...,
            notify: str | Sequence[str] = ...,
            labels: Mapping[str, Any] = ...,
            runbook: str | None = ...,
            description: str = ...,
            mode: Literal["live", "shadow", "paused"] = ...,
        ) -> Rule:
            """Holds when (t - within, t] rose or fell so far against the same window some time before."""
            ...

        def composite(
            cls,
            event: str | Sequence[str] = ...,
            *,
            all: str | Sequence[str] = ...,
            any: str | Sequence[str] = ...,
            none: str | Sequence[str] = ...,
            within: Duration,
            name: str = ...,
            where: str | None = ...,
            by: str | Sequence[str] = ...,
            for_: Duration = ...,
            cooldown: Duration = ...,
            repeat: Duration | None = ...,
            allowed_lateness: Duration | None = ...,
            resolve: Mapping[str, Any] | None = ...,
            active: Mapping[str, Any] | None = ...,
            severity: Literal["info", "warning", "error", "critical"] = ...,
            notify: str | Sequence[str] = ...,
            labels: Mapping[str, Any] = ...,
            runbook: str | None = ...,
            description: str = ...,
            mode: Literal["live", "shadow", "paused"] = ...,
        ) -> Rule:
            """Holds when `all` of these rules are on, at least one of `any`, and `none` of those. A rule
            is on in a group from the moment its condition holds until `within` after that."""
            ...

        def count(
            cls,
            event: str | Sequence[str] = ...,
            *,
            above: Whole | None = ...,
            at_least: Whole | None = ...,
            below: Whole | None = ...,
            at_most: Whole | None = ...,
            within: Duration,
            name: str = ...,
            where: str | None = ...,
            by: str | Sequence[str] = ...,
            for_: Duration = ...,
            cooldown: Duration = ...,
            repeat: Duration | None = ...,
            allowed_lateness: Duration | None = ...,
            resolve: Mapping[str, Any] | None = ...,
            active: Mapping[str, Any] | None = ...,
            severity: Literal["info", "warning", "error", "critical"] = ...,
            notify: str | Sequence[str] = ...,
            labels: Mapping[str, Any] = ...,
            runbook: str | None = ...,
            description: str = ...,
            mode: Literal["live", "shadow", "paused"] = ...,
        ) -> Rule:
            """Holds when so many matching events of the group, the judged one included, lie in (t -
            within, t]."""
            ...

        def each(
            cls,
            event: str | Sequence[str] = ...,
            *,
            name: str = ...,
            where: str | None = ...,
            by: str | Sequence[str] = ...,
            for_: Duration = ...,
            cooldown: Duration = ...,
            repeat: Duration | None = ...,
            allowed_lateness: Duration | None = ...,
            resolve: Mapping[str, Any] | None = ...,
            active: Mapping[str, Any] | None = ...,
            severity: Literal["info", "warning", "error", "critical"] = ...,
            notify: str | Sequence[str] = ...,
            labels: Mapping[str, Any] = ...,
            runbook: str | None = ...,
            description: str = ...,
            mode: Literal["live", "shadow", "paused"] = ...,
        ) -> Rule:
            """Holds when an event matches; takes no parameters."""
            ...

        def new_value(
            cls,
            event: str | Sequence[str] = ...,
            *,
            field: str,
            within: Duration,
            learn: Duration = ...,
            name: str = ...,
            where: str | None = ...,
            by: str | Sequence[str] = ...,
            for_: Duration = ...,
            cooldown: Duration = ...,
            repeat: Duration | None = ...,
            allowed_lateness: Duration | None = ...,
            resolve: Mapping[str, Any] | None = ...,
            active: Mapping[str, Any] | None = ...,
            severity: Literal["info", "warning", "error", "critical"] = ...,
            notify: str | Sequence[str] = ...,
            labels: Mapping[str, Any] = ...,
            runbook: str | None = ...,
            description: str = ...,
            mode: Literal["live", "shadow", "paused"] = ...,
        ) -> Rule:
            """Holds when no other event of the group had the same value of `field` in (t - within, t]."""
            ...

        def ratio(
            cls,
            event: str | Sequence[str] = ...,
            *,
            above: Number | str | None = ...,
            at_least: Number | str | None = ...,
            below: Number | str | None = ...,
            at_most: Number | str | None = ...,
            among: str | None = ...,
            within: Duration,
            min_events: Whole = ...,
            name: str = ...,
            where: str | None = ...,
            by: str | Sequence[str] = ...,
            for_: Duration = ...,
            cooldown: Duration = ...,
            repeat: Duration | None = ...,
            allowed_lateness: Duration | None = ...,
            resolve: Mapping[str, Any] | None = ...,
            active: Mapping[str, Any] | None = ...,
            severity: Literal["info", "warning", "error", "critical"] = ...,
            notify: str | Sequence[str] = ...,
            labels: Mapping[str, Any] = ...,
            runbook: str | None = ...,
            description: str = ...,
            mode: Literal["live", "shadow", "paused"] = ...,
        ) -> Rule:
            """Holds when the share of events in (t - within, t] for which `where` holds compares so with a
            number."""
            ...

        def sequence(
            cls,
            event: str | Sequence[str] = ...,
            *,
            steps: Sequence[Mapping[str, Any]],
            missing: Mapping[str, Any] | None = ...,
            within: Duration,
            name: str = ...,
            where: str | None = ...,
            by: str | Sequence[str] = ...,
            for_: Duration = ...,
            cooldown: Duration = ...,
            repeat: Duration | None = ...,
            allowed_lateness: Duration | None = ...,
            resolve: Mapping[str, Any] | None = ...,
            active: Mapping[str, Any] | None = ...,
            severity: Literal["info", "warning", "error", "critical"] = ...,
            notify: str | Sequence[str] = ...,
            labels: Mapping[str, Any] = ...,
            runbook: str | None = ...,
            description: str = ...,
            mode: Literal["live", "shadow", "paused"] = ...,
        ) -> Rule:
            """Holds when the `steps` came in order within (t - within, t], or `missing` has not followed
            them."""
            ...
