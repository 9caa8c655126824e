"""What a value is known to be before any event is there."""

from __future__ import annotations

from signaldesk.filters.functions import FUNCTIONS
from signaldesk.filters.tree import Call, Coalesce, Field, Kind, Operand, Part


def kind_of(operand: Operand) -> Kind | None:
    """The kind of a value; None for a payload field, and for what depends on one."""
    match operand:
        case Field():
            return None
        case Call(function):
            return FUNCTIONS[function].result
        case Part():
            return Kind.NUMBER
        case Coalesce(arguments):
            kinds = {kind_of(argument) for argument in arguments}
            return kinds.pop() if len(kinds) == 1 else None
        case _:
            return operand.kind
