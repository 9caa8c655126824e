"""The content of a notification."""

from __future__ import annotations

import json
from uuid import UUID

import pytest

from signaldesk.channels._facts import Fact, facts
from signaldesk.ids import new_id
from signaldesk.model.message import for_test, from_json, number, to_json
from tests.support.messages import NOW_US, firing_message


def test_a_message_survives_the_way_through_json() -> None:
    message = firing_message(group={"country": "DE", "vip": True, "items": [1, None], "n": 1.5})
    assert from_json(to_json(message)) == message
    assert from_json(json.dumps(json.loads(to_json(message)))) == message


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", '{"id": 1}'])
def test_what_is_no_message_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError):
        from_json(text)


def test_the_sentence_says_what_happened_where_and_how_much() -> None:
    assert firing_message().summary == "checkout_failed: 3 or more in 60 s for country = DE"
    exact = firing_message(value=7.5, at_least=False, group={}, window_us=300_000_000)
    assert exact.summary == "checkout_failed: 7.5 in 5 min (>= 3)"
    assert firing_message(window_us=0).summary == "checkout_failed happened for country = DE"


def test_the_title_names_the_rule_and_the_group_and_stays_short() -> None:
    assert firing_message().title == "Checkout failures by country (country = DE)"
    assert firing_message(group={}).title == "Checkout failures by country"
    assert len(firing_message(group={"user": "x" * 5000}).title) <= 200


def test_the_links_lead_to_the_alert_and_the_rule_of_this_installation() -> None:
    message = firing_message(base_url="https://desk.example.com/")
    assert message.links.alert == f"https://desk.example.com/alerts/{message.alert_id}"
    assert message.links.rule == f"https://desk.example.com/rules/{message.rule.id}"
    assert firing_message(base_url="").links.rule is None


def test_evidence_is_taken_as_ids_or_bytes_and_the_newest_hundred_are_kept() -> None:
    ids = [new_id() for _ in range(130)]
    message = firing_message(evidence=[item.bytes for item in ids])
    assert message.evidence == tuple(ids[-100:])
    assert all(isinstance(item, UUID) for item in firing_message(evidence=ids).evidence)


def test_only_a_taste_of_a_large_payload_travels_along() -> None:
    message = firing_message(payload={f"field{n}": "x" * 10_000 for n in range(500)})
    assert len(message.sample) == 20
    assert len(to_json(message)) < 10_000


def test_a_test_message_says_that_it_is_one() -> None:
    message = for_test(id=new_id(), org_id=new_id(), org="Acme", now_us=NOW_US)
    assert message.kind == "test"
    assert "Nothing is wrong" in str(message.sample)


@pytest.mark.parametrize(
    ("value", "text"), [(3.0, "3"), (0.25, "0.25"), (-2.0, "-2"), (1e20, "1e+20"), (1234567.0, "1234567")]
)
def test_numbers_read_as_people_write_them(value: float, text: str) -> None:
    assert number(value) == text


def test_a_firing_without_any_event_says_so() -> None:
    message = firing_message(event_id=UUID(int=0))
    assert message.event.id is None
    assert Fact("Event", "checkout_failed (none came)", short=False) in facts(message)
