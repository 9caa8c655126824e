"""`signaldesk labels`: imported, listed, deleted, in one form of CSV."""

from __future__ import annotations

from tests.support.commands import Terminal

CSV = """\
name,starts_at,ends_at,comment,group.country
"Storm, the first",2026-01-20T08:00:00Z,2026-01-20T09:30:00Z,snow,DE
Outage,2026-01-31T12:00:00Z,2026-01-31T12:40:00Z,,
"""


def test_what_is_listed_as_csv_is_what_was_imported(acme: Terminal) -> None:
    (acme.folder / "incidents.csv").write_text(CSV)
    assert acme.run("labels", "import", "incidents.csv").out == "2 labels imported\n"
    assert acme.run("labels", "list", "--csv").out == CSV
    found = acme.run("labels", "list", "--json").json()
    assert [(one["name"], one["group"]) for one in found] == [
        ("Outage", {}),
        ("Storm, the first", {"country": "DE"}),
    ]
    assert "on the command line" in found[0]["author"]
    assert "country = DE\tsnow" in acme.run("labels", "list").out
    assert acme.run("labels", "import", "incidents.csv").out == "0 labels imported, 2 known already\n"
    outage, storm = (one["id"] for one in found)
    assert acme.run("labels", "delete", outage, storm).out == "Outage: deleted\nStorm, the first: deleted\n"
    assert acme.run("labels", "import", "-", "--json", stdin=CSV).json() == {"imported": 2, "known": 0}


def test_a_faulty_file_is_refused_whole_with_its_lines(acme: Terminal) -> None:
    said = acme.refuses("labels", "import", "-", stdin="name,starts_at,ends_at\nFog,soon,2026-01-01T00:00Z\n")
    assert "line 2" in said and "no time" in said
    latin = "name,starts_at,ends_at\nCaf\udce9,2026-01-01T00:00Z,2026-01-02T00:00Z\n"
    said = acme.refuses("labels", "import", "-", stdin=latin, expect=2)
    assert "standard input is not UTF-8 (byte 27)" in said
    assert "cannot read missing.csv" in acme.refuses("labels", "import", "missing.csv")
    assert "is no id" in acme.refuses("labels", "delete", "7", expect=2)
    assert "no incident is known" in acme.run("labels", "list").err
