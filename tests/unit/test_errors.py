"""Errors, as whoever sees them in a notebook or a log."""

from __future__ import annotations

import pickle

from signaldesk.client.http import Refused
from signaldesk.errors import FieldError, Invalid


def test_an_error_says_every_fault_and_none_twice() -> None:
    faults = [FieldError("at_least", "is no number"), FieldError("", "has no event")]
    assert str(Invalid("this is no rule", errors=faults)) == (
        "this is no rule; at_least: is no number; has no event"
    )
    assert str(Invalid("at_least: is no number", errors=faults[:1])) == "at_least: is no number"
    assert str(Invalid()) == "The request is not valid"
    same = "at_least is no number"
    assert str(Invalid(same, errors=[FieldError("at_least", same)])) == same
    short = [FieldError("email", "is no e-mail address")]
    assert str(Invalid("yours is no e-mail address", errors=short)) == "yours is no e-mail address"
    assert str(Invalid(errors=[FieldError("sql", "is not valid")])).endswith("; sql: is not valid")
    assert str(Invalid("is cut off", errors=[FieldError("where", "is cut off")])) == "where: is cut off"


def test_an_error_of_another_process_says_the_same() -> None:
    fault = FieldError("sql", "must be a text")
    error = Refused("no", status=422, body={"code": "invalid"}, errors=(fault,))
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is Refused and str(again) == str(error)
    assert (again.answer_status, again.body, again.errors) == (422, {"code": "invalid"}, (fault,))
