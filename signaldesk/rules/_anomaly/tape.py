"""Numbers one after the other, as bytes and back, exactly."""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterable
from typing import Self


class Tape:
    """A row of doubles. Whole numbers up to 2^53 come back as they were; little-endian on every machine."""

    def __init__(self, data: bytes = b"") -> None:
        """Raises ValueError when the bytes are no row of doubles."""
        self._numbers = array("d")
        self._numbers.frombytes(data)
        if sys.byteorder == "big":
            self._numbers.byteswap()
        self._at = 0

    def write(self, *numbers: float) -> Self:
        self._numbers.extend(numbers)
        return self

    def write_all(self, numbers: Iterable[float]) -> Self:
        """A list of any length, which `read_all` gives back."""
        row = array("d", numbers)
        self._numbers.append(len(row))
        self._numbers.extend(row)
        return self

    def read(self) -> float:
        """The next number; ValueError at the end."""
        if self._at >= len(self._numbers):
            raise ValueError("the tape ends too early")
        self._at += 1
        return self._numbers[self._at - 1]

    def read_int(self) -> int:
        return int(self.read())

    def read_all(self) -> list[float]:
        """The next list; ValueError when it is longer than what is left."""
        count = self.read_int()
        if not 0 <= count <= len(self._numbers) - self._at:
            raise ValueError("the tape ends too early")
        self._at += count
        return self._numbers[self._at - count : self._at].tolist()

    def bytes(self) -> bytes:
        numbers = self._numbers
        if sys.byteorder == "big":
            numbers = array("d", numbers)
            numbers.byteswap()
        return numbers.tobytes()
