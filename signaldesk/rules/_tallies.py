"""What the values of a window come to: how many, their exact sums, their order, how many different ones.

Every tally comes out the same for the same values in any order, to the last bit: sums are kept as whole
numbers, and past the cap of a series the sketches are such that adding and joining commute. So a value does
not change because a process began anew in between.
"""

from __future__ import annotations

import math
import sys
import zlib
from bisect import bisect_left, bisect_right, insort
from collections import Counter
from hashlib import blake2b
from itertools import accumulate
from struct import Struct, unpack
from typing import Any

from signaldesk.rules._series import Tally

_DOUBLE = Struct(">d")
_pack = _DOUBLE.pack


def packed(value: Any) -> bytes | None:
    """A JSON number as 8 bytes, the double that is nearest; None for everything else, `true` included."""
    return _pack(value) if type(value) is float or type(value) is int else None


def double(value: bytes) -> float:
    """The number that `packed` made bytes of."""
    number: float = _DOUBLE.unpack(value)[0]
    return number


def digest(value: Any) -> bytes | None:
    """8 bytes for a JSON scalar, the same for equal ones (1 and 1.0 are); None for all others and null."""
    if value is None or isinstance(value, list | dict):
        return None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return blake2b(f"{type(value).__name__} {value}".encode(), digest_size=8).digest()


def quotient(numerator: int, denominator: int) -> float:
    """The double nearest to a fraction; the largest there is for one beyond all."""
    try:
        return numerator / denominator
    except OverflowError:
        return sys.float_info.max if numerator > 0 else -sys.float_info.max


def finite(value: float) -> float:
    """The same; the largest double there is for one beyond all."""
    return max(-sys.float_info.max, min(sys.float_info.max, value))


class Hits(Tally):
    """How many there are, and how many of them have a value at all. A pane is [all, hits]."""

    __slots__ = ("hits",)

    def __init__(self) -> None:
        super().__init__()
        self.hits = 0

    def add(self, value: bytes) -> None:
        self.count += 1
        self.hits += value != b""

    def remove(self, value: bytes) -> None:
        self.count -= 1
        self.hits -= value != b""

    def add_all(self, values: list[bytes]) -> None:
        self.count += len(values)
        self.hits += len(values) - values.count(b"")

    @staticmethod
    def pane() -> list[int]:
        return [0, 0]

    def put(self, pane: list[int], value: bytes, joined: bool) -> list[int]:
        pane[0] += 1
        pane[1] += value != b""
        if joined:
            self.add(value)
        return pane

    def join(self, pane: list[int]) -> None:
        self.count += pane[0]
        self.hits += pane[1]

    def leave(self, pane: list[int]) -> None:
        self.count -= pane[0]
        self.hits -= pane[1]


class Sums(Tally):
    """Sum and sum of squares of doubles, exactly: as whole numbers of 2^-scale. A pane is another one."""

    __slots__ = ("scale", "squares", "total")

    def __init__(self) -> None:
        super().__init__()
        self.total = 0
        self.squares = 0
        self.scale = 0

    def add(self, value: bytes) -> None:
        self._take(value, 1)

    def remove(self, value: bytes) -> None:
        self._take(value, -1)

    def add_all(self, values: list[bytes]) -> None:
        doubles = unpack(f">{len(values)}d", b"".join(values))
        fractions = [(top, bottom.bit_length() - 1) for top, bottom in map(float.as_integer_ratio, doubles)]
        most = max((bits for _, bits in fractions), default=0)
        if most > self.scale:
            self._refine(most)
        numbers = [top << (self.scale - bits) for top, bits in fractions]
        self.count += len(numbers)
        self.total += sum(numbers)
        self.squares += sum(number * number for number in numbers)

    def _take(self, value: bytes, sign: int) -> None:
        numerator, denominator = _DOUBLE.unpack(value)[0].as_integer_ratio()
        bits = denominator.bit_length() - 1
        if bits > self.scale:
            self._refine(bits)
        number = numerator << (self.scale - bits)
        self.count += sign
        self.total += sign * number
        self.squares += sign * number * number

    def _refine(self, scale: int) -> None:
        self.total <<= scale - self.scale
        self.squares <<= 2 * (scale - self.scale)
        self.scale = scale

    @staticmethod
    def pane() -> Sums:
        return Sums()

    def put(self, pane: Sums, value: bytes, joined: bool) -> Sums:
        pane.add(value)
        if joined:
            self.add(value)
        return pane

    def join(self, pane: Sums) -> None:
        self._merge(pane, 1)

    def leave(self, pane: Sums) -> None:
        self._merge(pane, -1)

    def _merge(self, pane: Sums, sign: int) -> None:
        if pane.scale > self.scale:
            self._refine(pane.scale)
        self.count += sign * pane.count
        self.total += sign * (pane.total << (self.scale - pane.scale))
        self.squares += sign * (pane.squares << (2 * (self.scale - pane.scale)))

    @staticmethod
    def pack(pane: Sums) -> list[Any]:
        return [pane.count, f"{pane.total:x}", f"{pane.squares:x}", pane.scale]

    @staticmethod
    def unpack(packed: list[Any]) -> Sums:
        pane = Sums()
        pane.count, pane.scale = packed[0], packed[3]
        pane.total, pane.squares = int(packed[1], 16), int(packed[2], 16)
        return pane

    def sum(self) -> float:
        """The double nearest to the true sum of the values, as math.fsum gives it."""
        return quotient(self.total, 1 << self.scale)

    def mean(self) -> float:
        """The double nearest to the true mean; of at least one value."""
        return quotient(self.total, self.count << self.scale)

    def deviation(self) -> float:
        """The standard deviation of a sample of at least two: sqrt((n Σx² - (Σx)²) / (n (n - 1))).

        This is SQL's STDDEV_SAMP, with Bessel's correction; the numerator has no rounding to suffer from.
        """
        spread = self.count * self.squares - self.total * self.total
        return math.sqrt(quotient(spread, self.count * (self.count - 1) << 2 * self.scale))


class Ranks(Tally):
    """Doubles in order. A pane counts them in buckets, each within 1 % of its values.

    Buckets are those of DDSketch (Masson, Rim, Lee: DDSketch, VLDB 2019): bucket i holds the sizes in
    (γ^(i-1), γ^i] with γ = (1 + α) / (1 - α), and stands for 2 γ^i / (γ + 1).
    """

    ACCURACY = 0.01
    GAMMA = (1 + ACCURACY) / (1 - ACCURACY)
    MOST = 1024
    """Buckets of a pane, nearly nine decades; a value that would need one more goes to the nearest."""
    _OFFSET = 40_000  # sizes from 5e-324 to 1.8e308 have i from -37,210 to 35,487

    __slots__ = ("_sorted", "_sums", "buckets", "values")

    def __init__(self) -> None:
        super().__init__()
        self.values: list[float] = []
        self.buckets: dict[int, int] = {}
        self._sorted: list[int] | None = None
        """The buckets in order, once they were asked for …"""
        self._sums: list[int] | None = None
        """… and for each how many values there are up to it."""

    def add(self, value: bytes) -> None:
        insort(self.values, _DOUBLE.unpack(value)[0])
        self.count += 1

    def remove(self, value: bytes) -> None:
        del self.values[bisect_left(self.values, _DOUBLE.unpack(value)[0])]
        self.count -= 1

    def add_all(self, values: list[bytes]) -> None:
        self.values += unpack(f">{len(values)}d", b"".join(values))
        self.values.sort()
        self.count += len(values)

    @staticmethod
    def pane() -> dict[int, int]:
        return {}

    def put(self, pane: dict[int, int], value: bytes, joined: bool) -> dict[int, int]:
        bucket = self._bucket(_DOUBLE.unpack(value)[0])
        if bucket not in pane and len(pane) >= self.MOST:
            bucket = min(pane, key=lambda other: (abs(other - bucket), other))
        pane[bucket] = pane.get(bucket, 0) + 1
        if joined:
            self.join({bucket: 1})
        return pane

    def join(self, pane: dict[int, int]) -> None:
        self._sums = None
        known = len(self.buckets)
        for bucket, times in pane.items():
            self.buckets[bucket] = self.buckets.get(bucket, 0) + times
            self.count += times
        if len(self.buckets) != known:
            self._sorted = None

    def leave(self, pane: dict[int, int]) -> None:
        self._sums = self._sorted = None
        for bucket, times in pane.items():
            self.count -= times
            self.buckets[bucket] -= times
            if not self.buckets[bucket]:
                del self.buckets[bucket]

    def ranked(self, rank: int) -> float:
        """The value with so many values up to it, itself included: 1 is the least, `count` the greatest."""
        values = self.values
        if not self.buckets:
            return values[rank - 1]
        ordered, sums = self._sorted, self._sums
        if ordered is None:
            ordered = self._sorted = sorted(self.buckets)
        if sums is None:
            sums = self._sums = list(accumulate(self.buckets[bucket] for bucket in ordered))
        low, high = 0, len(ordered)
        while low < high:
            middle = (low + high) // 2
            upto = bisect_right(values, self._value(ordered[middle]))
            low, high = (low, middle) if sums[middle] + upto >= rank else (middle + 1, high)
        others = rank - (sums[low - 1] if low else 0)
        if low == len(ordered):
            return values[others - 1]
        bucket = self._value(ordered[low])
        return values[others - 1] if others <= len(values) and values[others - 1] <= bucket else bucket

    def _bucket(self, value: float) -> int:
        if not value:
            return 0
        number = math.ceil(math.log(abs(value)) / math.log(self.GAMMA)) + self._OFFSET
        return number if value > 0 else -number

    def _value(self, bucket: int) -> float:
        if not bucket:
            return 0.0
        exponent = (abs(bucket) - self._OFFSET) * math.log(self.GAMMA) + math.log(2 / (self.GAMMA + 1))
        return math.copysign(math.exp(min(exponent, 709.0)), bucket)


class Different(Tally):
    """How many different values there are, by their digests. A pane is the registers of a HyperLogLog.

    Registers and estimate: Ertl, New cardinality estimation algorithms for HyperLogLog sketches, 2017,
    algorithm 6. (Libraries estimate from the order of arrival too, which a restart would change.)
    """

    BITS = 12
    REGISTERS = 1 << BITS
    ERROR = 1.04 / math.sqrt(REGISTERS)
    """Standard error, 1.6 %."""

    __slots__ = ("_spread", "_union", "keys", "sketches")

    def __init__(self) -> None:
        super().__init__()
        self.keys: Counter[bytes] = Counter()
        self.sketches: list[bytearray] = []
        self._union: bytearray | None = None
        self._spread: list[int] = []
        """How many registers of the union have which value."""

    def add(self, value: bytes) -> None:
        self.count += 1
        self.keys[value] += 1
        if self._union is not None and self.keys[value] == 1:
            self._note(value)

    def remove(self, value: bytes) -> None:
        self.count -= 1
        self.keys[value] -= 1
        if not self.keys[value]:
            del self.keys[value]
            self._union = None

    def add_all(self, values: list[bytes]) -> None:
        if self._union is None:
            self.count += len(values)
            self.keys.update(values)
        else:
            super().add_all(values)

    @staticmethod
    def pane() -> tuple[list[int], bytearray]:
        return [0], bytearray(Different.REGISTERS)

    def put(
        self, pane: tuple[list[int], bytearray], value: bytes, joined: bool
    ) -> tuple[list[int], bytearray]:
        times, registers = pane
        times[0] += 1
        place, rank = _placed(value)
        if rank > registers[place]:
            registers[place] = rank
        if joined:
            self.count += 1
            if all(registers is not one for one in self.sketches):
                self.sketches.append(registers)
            if self._union is not None:
                self._note(value)
        return pane

    def join(self, pane: tuple[list[int], bytearray]) -> None:
        self.count += pane[0][0]
        self.sketches.append(pane[1])
        self._union = None

    def leave(self, pane: tuple[list[int], bytearray]) -> None:
        self.count -= pane[0][0]
        self.sketches = [one for one in self.sketches if one is not pane[1]]
        self._union = None

    @staticmethod
    def pack(pane: tuple[list[int], bytearray]) -> list[Any]:
        return [pane[0][0], zlib.compress(pane[1], 1)]

    @staticmethod
    def unpack(packed: list[Any]) -> tuple[list[int], bytearray]:
        return [packed[0]], bytearray(zlib.decompress(packed[1]))

    def different(self) -> int:
        if not self.sketches:
            return len(self.keys)
        if self._union is None:
            self._unite()
        return round(_estimate(self._spread, self.BITS))

    def _unite(self) -> None:
        import numpy  # only for those who need it: importing it takes longer than all the rest

        registers = numpy.maximum.reduce([numpy.frombuffer(one, numpy.uint8) for one in self.sketches])
        self._union = bytearray(registers.tobytes())
        self._spread = numpy.bincount(registers, minlength=66 - self.BITS).tolist()
        for value in self.keys:
            self._note(value)

    def _note(self, value: bytes) -> None:
        assert self._union is not None
        place, rank = _placed(value)
        before = self._union[place]
        if rank > before:
            self._union[place] = rank
            self._spread[before] -= 1
            self._spread[rank] += 1


def _placed(value: bytes) -> tuple[int, int]:
    """(register, 1 + leading zeros of the other bits) of a digest."""
    bits = 64 - Different.BITS
    number = int.from_bytes(value)
    return number >> bits, bits - (number & ((1 << bits) - 1)).bit_length() + 1


def _estimate(spread: list[int], bits: int) -> float:
    """How many different values the registers speak of, of which `spread[k]` are k."""
    registers, last = 1 << bits, 64 - bits + 1
    z = registers * _tau(1 - spread[last] / registers)
    for k in range(last - 1, 0, -1):
        z = 0.5 * (z + spread[k])
    z += registers * _sigma(spread[0] / registers)
    return registers * registers / (2 * math.log(2) * z)


def _sigma(x: float) -> float:
    if x == 1:
        return math.inf
    y, z, before = 1.0, x, -1.0
    while z != before:
        x, before = x * x, z
        z, y = z + x * y, 2 * y
    return z


def _tau(x: float) -> float:
    if x in (0, 1):
        return 0.0
    y, z, before = 1.0, 1 - x, -1.0
    while z != before:
        x, before, y = math.sqrt(x), z, y / 2
        z -= (1 - x) ** 2 * y
    return z / 3
