"""Lines are sent in bites, and every line keeps its number."""

from __future__ import annotations

import codecs

from hypothesis import given
from hypothesis import strategies as st

from signaldesk.client.lines import batches

LINES = st.lists(st.sampled_from([b"", b"  ", b"{}", b'{"type": "a"}', b"x" * 90]))


@given(LINES, st.integers(1, 5), st.integers(10, 200))
def test_every_line_is_sent_once_in_order_under_its_number(lines: list[bytes], most: int, size: int) -> None:
    found = list(batches([line + b"\n" for line in lines], most_lines=most, most_bytes=size))
    sent = [
        (n, line) for batch in found for n, line in zip(batch.numbers, batch.body.split(b"\n"), strict=True)
    ]
    assert sent == [(n, line) for n, line in enumerate(lines, 1) if line.strip()]
    assert all(len(batch.numbers) <= most for batch in found)
    assert all(len(batch.body) <= size or len(batch.numbers) == 1 for batch in found)


def test_a_byte_order_mark_is_no_part_of_the_first_line() -> None:
    (batch,) = batches([codecs.BOM_UTF8 + b"{}\r\n", b"{}"])
    assert batch.body == b"{}\n{}"


def test_a_lone_carriage_return_ends_a_line_as_it_does_for_the_server() -> None:
    (batch,) = batches([b"{}\r{}\n", b"{}\n"])
    assert batch.body.splitlines() == [b"{}"] * 3
    assert batch.numbers == [1, 1, 2]
