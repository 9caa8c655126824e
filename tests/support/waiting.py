"""Waiting for something to become true, with a deadline, instead of sleeping and hoping."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar, overload

import pytest

T = TypeVar("T")

EVERY = 0.01
"""Seconds between looks."""


@overload
async def eventually(
    predicate: Callable[[], Awaitable[T]], timeout: float = ..., *, every: float = ...
) -> T: ...


@overload
async def eventually(predicate: Callable[[], T], timeout: float = ..., *, every: float = ...) -> T: ...


async def eventually(
    predicate: Callable[[], object], timeout: float = 10.0, *, every: float = EVERY
) -> object:
    """The first true value of `predicate` (plain or async), looked at until `timeout` seconds are over.

    A failed assertion inside the predicate counts as "not yet". Fails the test with the last value seen:

        alert = await eventually(lambda: store.alerts(org_id))
    """
    watch = _Watch(predicate, timeout)
    while True:
        try:
            value = predicate()
            if inspect.isawaitable(value):
                value = await value
            if watch.good(value):
                return value
        except AssertionError as error:
            watch.good(error)
        watch.give_up_if_late()
        await asyncio.sleep(every)


def eventually_now(predicate: Callable[[], T], timeout: float = 10.0, *, every: float = EVERY) -> T:
    """The same for a test that is not async; `predicate` is plain."""
    watch = _Watch(predicate, timeout)
    while True:
        try:
            value = predicate()
            if watch.good(value):
                return value
        except AssertionError as error:
            watch.good(error)
        watch.give_up_if_late()
        time.sleep(every)


class _Watch:
    def __init__(self, predicate: Callable[[], object], timeout: float) -> None:
        self._predicate, self._timeout = predicate, timeout
        self._end = time.monotonic() + timeout
        self._last: object = None

    def good(self, value: object) -> bool:
        """Remember the value and say whether it ends the waiting."""
        self._last = value
        return bool(value) and not isinstance(value, AssertionError)

    def give_up_if_late(self) -> None:
        if time.monotonic() >= self._end:
            pytest.fail(
                f"not true within {self._timeout:g} s: {_source(self._predicate)}\nlast seen: {self._last!r}"
            )


def _source(predicate: Callable[[], object]) -> str:
    try:
        return inspect.getsource(predicate).strip()
    except (OSError, TypeError):
        return repr(predicate)
