"""Answers of Redis and Postgres get lost on the way: what was done is not done again."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from signaldesk.desk import Urls
from tests.faults.conftest import Servers, roles
from tests.faults.findings import compare
from tests.faults.proxy import losing_answers
from tests.faults.receiver import Receiver
from tests.faults.traffic import customer
from tests.support.commands import Terminal
from tests.support.examples import SOAK

BATCHES = 60 * SOAK
SHARE = 0.02
"""Twice what is promised: a short run has few answers."""


def test_an_answer_that_is_lost_doubles_nothing(
    terminal: Terminal, servers: Servers, receiver: Receiver
) -> None:
    valkey = Path(urlsplit(servers.valkey.url).path)
    postgres = Path(parse_qs(urlsplit(servers.postgres.url).query)["host"][0]) / ".s.PGSQL.5432"
    with losing_answers(valkey, share=0) as stream, losing_answers(postgres, share=0) as books:
        lossy = Urls(
            f"postgresql://signaldesk@127.0.0.1:{books.port}/signaldesk?sslmode=disable",
            f"redis://127.0.0.1:{stream.port}/0",
        )
        with roles(terminal, lossy, receiver, "ingest", "processor") as (site, _):
            stream.share, books.share = SHARE, SHARE / 2
            sender = customer(site.port, site.key, batches=BATCHES)
            sender.start()
            sender.finish()
            books.share = 0
            compare(site.books, sender, site.rules)
        assert stream.lost > 2
