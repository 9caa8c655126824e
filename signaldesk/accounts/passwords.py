"""Passwords: argon2id, and the same time spent whether or not there is anything to compare with."""

from __future__ import annotations

import asyncio
from functools import lru_cache

from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher

from signaldesk.errors import FieldError, Invalid

SHORTEST, LONGEST = 10, 1024
AT_ONCE = 2
"""Passwords checked at the same time: each takes 64 MiB and a core for some 50 ms."""


class Passwords:
    """Hashes and checks passwords off the event loop, a few at a time."""

    def __init__(self, hasher: Argon2Hasher | None = None) -> None:
        self._hash = PasswordHash((hasher or Argon2Hasher(),))
        self._turn = asyncio.Semaphore(AT_ONCE)

    async def hash(self, password: str) -> str:
        """Raises Invalid for a password that is too short or too long."""
        if not SHORTEST <= len(password) <= LONGEST:
            message = f"has {len(password)} characters; use {SHORTEST} to {LONGEST}"
            raise Invalid(f"the password {message}", errors=[FieldError("password", message)])
        async with self._turn:
            return await asyncio.to_thread(self._hash.hash, password)

    async def check(self, password: str, stored: str | None) -> tuple[bool, str | None]:
        """(right?, a new hash to store when the old one is out of date).

        Without a stored hash it answers False, after the same work: the time tells nobody who has an account.
        """
        if len(password) > LONGEST:
            password, stored = "", None
        async with self._turn:
            return await asyncio.to_thread(self._check, password, stored)

    def _check(self, password: str, stored: str | None) -> tuple[bool, str | None]:
        right, renewed = self._hash.verify_and_update(password, stored or self._nobody())
        return (right, renewed) if stored else (False, None)

    @lru_cache(maxsize=1)  # noqa: B019 - one object per process
    def _nobody(self) -> str:
        return self._hash.hash("the password of nobody")
