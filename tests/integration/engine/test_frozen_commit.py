"""A process that is stopped in the middle of a commit does not keep its partition for ever."""

from __future__ import annotations

import pytest

from signaldesk.errors import Unavailable
from signaldesk.store.ledger import Ledger
from tests.support import eventually_now

LOCK = "SELECT id FROM partitions WHERE id = %(id)s FOR UPDATE"


def test_another_process_takes_the_partition_of_one_that_is_frozen_while_it_commits(
    database_url: str,
) -> None:
    frozen, other = (Ledger(database_url, owner=name, frozen_s=0.5) for name in ("frozen", "other"))
    try:
        (claim,) = frozen.claim(1, lease=0.0)
        with pytest.raises(Unavailable), frozen._transaction() as cursor:
            cursor.execute(LOCK, {"id": claim.partition})
            everybody = eventually_now(lambda: claim.partition in ids(other), 20)
            assert everybody
            cursor.execute(LOCK, {"id": claim.partition})
        assert frozen.claim(1, lease=60.0) is not None
    finally:
        frozen.close()
        other.close()


def ids(ledger: Ledger) -> set[int]:
    return {claim.partition for claim in ledger.claim(1000, lease=0.0)}
