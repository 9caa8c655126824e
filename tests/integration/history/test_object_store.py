"""History in an object store: the same as in a folder, against a server that speaks S3."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import boto3
import pytest
from moto.server import ThreadedMotoServer

from signaldesk.errors import SettingsError, Unavailable
from signaldesk.history.shelf import Damaged, ObjectStore, shelf
from tests.integration.history.test_keeping import keeper
from tests.support.history import HistoryLab, ids_of, some_events


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    """The address of an S3 server."""
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"{host}:{port}"
    server.stop()


@pytest.fixture
def url(s3: str) -> str:
    """An empty bucket's URL, as a setting has it."""
    bucket = f"history-{uuid4().hex}"
    access = {"aws_access_key_id": "key", "aws_secret_access_key": "secret", "region_name": "us-east-1"}
    boto3.client("s3", endpoint_url=f"http://{s3}", **access).create_bucket(Bucket=bucket)
    return f"s3://key:secret@{bucket}/below?endpoint_override={s3}&scheme=http&region=us-east-1"


def test_events_are_archived_to_an_object_store_and_read_from_it(
    database_url: str, tmp_path: Path, url: str
) -> None:
    lab = HistoryLab(database_url, tmp_path, shelf=shelf(url, tmp_path))
    org = lab.org()
    events = some_events(60)
    for part in range(0, 60, 20):
        lab.store(org, events[part : part + 20])
        lab.archiver().run(closed_only=False)
    assert keeper(lab).compact(everything=True) == 2
    elsewhere = HistoryLab(database_url, tmp_path / "another machine", shelf=shelf(url, tmp_path / "another"))
    assert elsewhere.ids(org) == ids_of(events)
    lab.clock.advance(3600)
    assert keeper(lab).clear() == 3
    assert [path for path, _ in lab.shelf.listing()] == lab.paths()


def test_an_object_that_is_gone_or_cut_is_damaged(tmp_path: Path, url: str) -> None:
    store = shelf(url, tmp_path)
    for path in ("org=a/date=2026-01-31/x.parquet", "org=a/date=2026-01-31/y.parquet"):
        draft = store.draft()
        draft.write_bytes(b"12345678")
        store.put(draft, path)
        assert store.local(path, 8).read_bytes() == b"12345678"
    elsewhere = shelf(url, tmp_path / "another")
    with pytest.raises(Damaged, match="has 8 bytes instead of 9"):
        elsewhere.local("org=a/date=2026-01-31/x.parquet", 9)
    store.delete(["org=a/date=2026-01-31/y.parquet", "org=a/date=2026-01-31/y.parquet"])
    with pytest.raises(Damaged, match="is missing"):
        elsewhere.local("org=a/date=2026-01-31/y.parquet", 8)


def test_what_was_used_longest_ago_leaves_the_cache_first(tmp_path: Path, url: str) -> None:
    full = shelf(url, tmp_path)
    for name in "abc":
        draft = full.draft()
        draft.write_bytes(name.encode() * 10)
        full.put(draft, f"{name}.parquet")
    assert isinstance(full, ObjectStore)
    small = ObjectStore(full._system, full._base, cache=tmp_path / "small", most_bytes=20)
    for name in "abac":
        assert small.local(f"{name}.parquet", 10).read_bytes() == name.encode() * 10
    kept = {path.name for path in (tmp_path / "small").glob("*.parquet")}
    assert len(kept) == 2
    assert "c.parquet" in kept


def test_an_object_store_that_is_away_is_unavailable(tmp_path: Path) -> None:
    address = "endpoint_override=127.0.0.1:1&scheme=http&region=us-east-1"
    away = shelf(f"s3://key:secret@bucket/x?{address}", tmp_path)
    with pytest.raises(Unavailable, match="the object store of history"):
        list(away.listing())


def test_a_url_that_is_none_is_refused(tmp_path: Path) -> None:
    for url, said in (("nonsense://bucket", "expected a URL such as"), ("s3://", "no bucket is named")):
        with pytest.raises(SettingsError, match=f"SIGNALDESK_HISTORY_URL: .*{said}"):
            shelf(url, tmp_path)
