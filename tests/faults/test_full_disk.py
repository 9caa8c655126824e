"""A disk without any room: nothing is damaged, and everything goes on by itself when there is room again."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

from tests.faults.conftest import Site
from tests.faults.findings import compare
from tests.faults.traffic import BATCHES, Customer, customer, while_away
from tests.support import eventually_now
from tests.support.commands import Up

SIZE = "256m"
CHUNKS = 1 << 16, 512


@pytest.fixture(autouse=True)
def _small_disks(tmp_path: Path) -> Iterator[None]:
    """Each server's data lie on a disk of their own, of little size."""
    with ExitStack() as disks:
        for server in ("postgres", "valkey"):
            folder = tmp_path / "data" / server
            folder.mkdir(parents=True)
            disk = ["tmpfs", "-o", f"size={SIZE},mode=700", "tmpfs", str(folder)]
            if subprocess.run(["mount", "-t", *disk], capture_output=True).returncode:
                pytest.skip("only root may make a disk")
            disks.callback(subprocess.run, ["umount", "--lazy", str(folder)], check=True)
        yield


@contextmanager
def full(folder: Path) -> Iterator[None]:
    """Nothing fits on the folder's disk any more, until the block ends."""
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as file:
        for size in CHUNKS:
            with suppress(OSError):
                while file.write(bytes(size)):
                    pass
    assert not os.statvfs(folder).f_bavail
    yield
    ballast.unlink()


@pytest.fixture
def sender(site: Site) -> Customer:
    """A customer who has sent something and will go on."""
    sender = customer(site.port, site.key, batches=5 * BATCHES)
    sender.allow(BATCHES)
    sender.start()
    sender.until(BATCHES)
    return sender


def test_full_disks_lose_nothing_and_do_no_lasting_harm(running: Up, site: Site, sender: Customer) -> None:
    with full(running.data / "valkey"):  # nothing can be accepted
        eventually_now(lambda: refused(site, sender), 10, every=0.05)
        sender.allow(2 * BATCHES)
        eventually_now(lambda: len(sender.refusals) > 1)
    sender.until(2 * BATCHES)
    before = len(sender.refusals)
    with full(running.data / "postgres"):  # what is accepted waits in the stream
        sender.allow(4 * BATCHES)
        sender.until(4 * BATCHES)
        eventually_now(lambda: "No space left on device" in (running.data / "postgres" / "log").read_text())
    sender.finish()
    assert len(sender.refusals) == before
    compare(site.books, sender, site.rules)


def refused(site: Site, sender: Customer) -> bool:
    """Whether one more event is refused as it should be."""
    answer = while_away(site.port, site.key)
    sender.attempted += 1
    return (answer.status, bool(answer.retry_after)) == (503, True)
