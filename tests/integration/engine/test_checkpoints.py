"""Windows are written to Redis beside everything else, and nobody reads what is still on its way."""

from __future__ import annotations

import asyncio
from uuid import UUID

import pytest

from signaldesk.ids import new_id
from signaldesk.stream import keys, windows
from signaldesk.stream.events import Entry, EventStream
from signaldesk.stream.windows import Change, Changes, Portions, WindowStore
from tests.support.lab import Crashed, Lab, Life, Owner

PATIENCE_S = 10


class SlowSaves:
    """Each save of windows waits to be let through."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._begun, self._let = asyncio.Semaphore(0), asyncio.Semaphore(0)
        save = WindowStore.save

        async def slowly(store: WindowStore, position: int, portions: Portions) -> None:
            self._begun.release()
            await self._let.acquire()
            await save(store, position, portions)

        monkeypatch.setattr(WindowStore, "save", slowly)

    async def next(self) -> None:
        """Another save has begun, and waits."""
        await asyncio.wait_for(self._begun.acquire(), PATIENCE_S)

    def let_through(self, saves: int = 1) -> None:
        for _ in range(saves):
            self._let.release()


class Each:
    """Changes of windows, one portion for each."""

    def __init__(self, *changes: Change) -> None:
        self._changes = list(changes)

    def portion(self) -> Changes | None:
        return Changes(self._changes[:1], []) if self._changes else None

    def written(self) -> None:
        del self._changes[0]


async def three_users(lab: Lab) -> UUID:
    """An organisation with a rule that holds at the third event of a user."""
    org_id = await lab.org()
    when = {"kind": "count", "at_least": 3, "within": "1h"}
    await lab.save_rule(org_id, {"name": "three", "event": "paid", "by": "user", "when": when})
    return org_id


async def pay(lab: Lab, org_id: UUID, *users: str) -> None:
    await lab.send(org_id, [{"type": "paid", "payload": {"user": user}} for user in users])


async def settled(lab: Lab, owner: Owner) -> None:
    """Everything is committed, and the windows in Redis hold it."""
    assert await owner.work_off()
    position = str(owner.partition.committed).encode()
    async with asyncio.timeout(PATIENCE_S):
        while await lab.redis.hget(keys.windows(lab.partition), "position") != position:
            await asyncio.wait([owner.task], timeout=0.001)


async def all_read(lab: Lab, owner: Owner) -> None:
    """The owner has read everything, whether or not it could judge it."""
    last = await lab.stream.last(lab.partition)
    async with asyncio.timeout(PATIENCE_S):
        while owner.partition._read_upto < last:
            await asyncio.wait([owner.task], timeout=0.001)


def fired(lab: Lab, org_id: UUID) -> int:
    return len(lab.rows("SELECT FROM firings WHERE org_id = %(org)s", org=org_id))


async def test_judging_goes_on_while_windows_are_saved(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    org_id = await three_users(lab)
    owner = await lab.owner(Life(checkpoint_every=0.0))
    await settled(lab, owner)
    saves = SlowSaves(monkeypatch)
    await pay(lab, org_id, "ada")
    await saves.next()
    await pay(lab, org_id, "ada")
    await pay(lab, org_id, "ada")
    assert await owner.work_off()
    assert fired(lab, org_id) == 1
    saves.let_through(100)
    await settled(lab, owner)
    await owner.end()


async def test_with_a_backlog_every_entry_is_read_once_and_ahead_of_its_turn(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    org_id = await three_users(lab)
    for _ in range(20):
        await pay(lab, org_id, "ada")
    reads: list[tuple[int, int, list[int]]] = []
    owner = Owner(lab, Life(batch_events=1))
    read = EventStream.read

    async def noted(stream: EventStream, partition: int, after: int, count: int, block: int) -> list[Entry]:
        judged = owner.partition.position
        entries = await read(stream, partition, after, count, block)
        reads.append((judged, after, [entry.position for entry in entries]))
        return entries

    monkeypatch.setattr(EventStream, "read", noted)
    await owner.begin()
    assert await owner.work_off()
    positions = [position for _, _, found in reads for position in found]
    assert positions == sorted(set(positions)) and len(positions) >= 20
    assert sum(after > judged for judged, after, found in reads if found) >= 15
    assert fired(lab, org_id) == 18
    await owner.end()


async def test_a_group_that_left_memory_is_not_read_before_it_is_saved(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    org_id = await three_users(lab)
    owner = await lab.owner(Life(checkpoint_every=0.0, most_states=1))
    await settled(lab, owner)
    saves = SlowSaves(monkeypatch)
    await pay(lab, org_id, "bob")
    await saves.next()
    await pay(lab, org_id, "ada", "ada")
    assert await owner.work_off()
    saves.let_through()
    await pay(lab, org_id, "cem")  # with this batch somebody leaves memory; what is new of ada is on its way
    await saves.next()
    await pay(lab, org_id, "ada")
    await all_read(lab, owner)
    saves.let_through(100)
    await settled(lab, owner)
    assert fired(lab, org_id) == 1
    await owner.end()


async def test_an_owner_that_dies_while_it_saves_leaves_nothing_out(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    org_id = await three_users(lab)
    owner = await lab.owner(Life(checkpoint_every=0.0))
    await settled(lab, owner)
    with monkeypatch.context() as patched:
        saves = SlowSaves(patched)
        await pay(lab, org_id, "ada")
        await saves.next()
        await pay(lab, org_id, "ada")
        assert await owner.work_off()
        await owner.cut_off()
    heir = await lab.owner(Life())
    await pay(lab, org_id, "ada")
    assert await heir.work_off()
    assert fired(lab, org_id) == 1
    await heir.end()


@pytest.mark.parametrize(("notes", "left"), [(b"", 10), (b"since noon", 0)])
async def test_windows_are_not_trusted_when_only_some_of_their_notes_were_written(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, notes: bytes, left: int
) -> None:
    store = WindowStore(lab.redis, lab.partition)
    await store.take(1)
    await store.save(10, Each())
    write, written = store._write, 0

    async def dying(names: list[str], args: list[object]) -> object:
        nonlocal written
        if written == 1:
            raise Crashed
        written += 1
        return await write(names, args)

    monkeypatch.setattr(store, "_write", dying)
    rule = new_id()
    fresh = ([bytes(16)], [1])
    changed = [Change(store.key(rule, 1, "", group), False, fresh, 60, notes) for group in ("ada", "bob")]
    with pytest.raises(Crashed):
        await store.save(20, Each(*changed))
    heir = WindowStore(lab.redis, lab.partition)
    assert await heir.take(2) == left
    await heir.save(20, Each())
    assert await WindowStore(lab.redis, lab.partition).take(3) == 20


async def test_members_come_back_by_time_and_once_however_many_runs_they_were_written_in(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(windows, "_RUN", 2)
    store = WindowStore(lab.redis, lab.partition)
    await store.take(1)
    key = store.key(new_id(), 1, "", "ada")
    ids = [bytes([n]) * 16 for n in range(6)]
    await store.save(10, Each(Change(key, False, (ids[:5], [3, 4, 5, 5, 8]), 60, b"noted")))
    await store.save(20, Each(Change(key, False, (ids[3:], [5, 8, 9]), 60, b"noted anew")))
    ((members, notes),) = await store.load([key])
    assert members == list(zip(ids, [3, 4, 5, 5, 8, 9], strict=True))
    assert notes == b"noted anew"
    await store.save(30, Each(Change(key, True, ([ids[5]], [9]), 60)))
    assert await store.load([key]) == [([(ids[5], 9)], b"")]
