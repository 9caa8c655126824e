"""Values of the tree as Python: checks that must hold for a value to be there, and the expression of it."""

from __future__ import annotations

from datetime import date
from math import fmod

from signaldesk.filters import zones
from signaldesk.filters.arithmetic import LARGEST, minus, modulo, plus
from signaldesk.filters.functions import ARITHMETIC, FUNCTIONS, PARTS, REGEX, SINCE_1970
from signaldesk.filters.letters import lower, upper
from signaldesk.filters.regex import searcher
from signaldesk.filters.tree import Attribute, Call, Coalesce, Constant, Field, Kind, Operand, Part, Term

PARAMETERS = ("payload", "type", "source", "timestamp_us")
"""What a compiled filter is called with."""

_PARAMETER = {"type": "type", "source": "source", "timestamp": "timestamp_us"}
_KINDS: dict[type, Kind] = {str: Kind.TEXT, int: Kind.NUMBER, float: Kind.NUMBER, bool: Kind.BOOLEAN}
_DAY_ONE = 719_163
"""The ordinal of 1 January 1970."""


def _date(day: int) -> date:
    return date.fromordinal(day + _DAY_ONE)


def _day_of_year(day: int) -> int:
    return _date(day).timetuple().tm_yday


HELPERS: dict[str, object] = {
    "__builtins__": {},
    **{kind.__name__: kind for kind in (dict, list, str, int, float, bool)},
    "len": len,
    "kinds": frozenset(_KINDS),
    "kind_of": _KINDS.get,
    "lower": lower,
    "upper": upper,
    "plus": plus,
    "minus": minus,
    "modulo": modulo,
    "fmod": fmod,
    "date": _date,
    "day_of_year": _day_of_year,
    "DAY": 86_400_000_000,
    "LARGEST": LARGEST,
}
"""What the expressions may refer to, beside the parameters and what `name` gives."""


class Values:
    """Writes values as Python expressions; `names` is all that they may refer to."""

    def __init__(self) -> None:
        self.names: dict[str, object] = dict(HELPERS)
        self._locals = 0

    def name(self, thing: object) -> str:
        """The name by which an expression reaches a thing."""
        name = f"k{len(self.names)}"
        self.names[name] = thing
        return name

    def local(self) -> str:
        """A local variable that nothing else uses."""
        self._locals += 1
        return f"v{self._locals}"

    def is_there(self, operand: Term) -> str:
        """An expression that is True where the value is not NULL; a list or an object is there."""
        match operand:
            case Field() | Attribute():
                checks, value = self.perhaps(operand)
                return joined_checks([*checks, f"{value} is not None"])
            case Coalesce(arguments):
                alternatives = [self.is_there(one) for one in arguments if not isinstance(one, Constant)]
                if len(alternatives) < len(arguments):
                    return "True"
                return f"({' or '.join(alternatives)})"
            case Call():
                checks, _ = self._call(operand)
                return joined_checks(checks)
            case Part():
                return "True"

    def perhaps(self, operand: Term) -> tuple[list[str], str]:
        """Checks that must hold for the value to be there, and its expression; it may still be None."""
        match operand:
            case Attribute(name):
                return [], _PARAMETER[name]
            case Field():
                return self._field(operand)
            case _:
                return [], self.maybe(operand)

    def maybe(self, operand: Operand) -> str:
        """One expression: the value, or None for NULL; in parentheses."""
        match operand:
            case Constant(value):
                return self.name(value)
            case Attribute(name):
                return _PARAMETER[name]
            case Coalesce((*arguments, last)):
                text = self.maybe(last)
                for argument in reversed(arguments):
                    found = self.local()
                    text = f"({found} if ({found} := {self.maybe(argument)}) is not None else {text})"
                return text
            case Field():
                checks, value = self._field(operand)
            case Call():
                checks, value = self._call(operand)
            case Part():
                checks, value = [], self._part(operand)
        return f"({value} if {' and '.join(checks)} else None)" if checks else f"({value})"

    def of_kind(self, operand: Operand, kind: Kind) -> tuple[list[str], str]:
        """Checks that must hold, in order, and the expression of the value, which then is of that kind."""
        match operand:
            case Constant(value):
                return [], self.name(value)
            case Attribute(name):
                value = _PARAMETER[name]
                return ([f"{value} is not None"] if name == "source" else []), value
            case Call():
                return self._call(operand)
            case Part():
                return [], f"({self._part(operand)})"
            case Field() | Coalesce():
                checks, value = self.perhaps(operand)
                local = self.local()
        match kind:
            case Kind.TEXT:
                check = f"({local} := {value}).__class__ is str"
            case Kind.BOOLEAN:
                check = f"({local} := {value}).__class__ is bool"
            case _:
                check = f"(({local} := {value}).__class__ is int or {local}.__class__ is float)"
        return [*checks, check], local

    def _field(self, operand: Field) -> tuple[list[str], str]:
        value = f"payload.get({self.name(operand.path[0])})"
        checks: list[str] = []
        for part in operand.path[1:]:
            holder = self.local()
            if isinstance(part, str):
                checks.append(f"({holder} := {value}).__class__ is dict")
                value = f"{holder}.get({self.name(part)})"
            else:
                checks.append(f"({holder} := {value}).__class__ is list and len({holder}) > {part}")
                value = f"{holder}[{part}]"
        return checks, value

    def _call(self, call: Call) -> tuple[list[str], str]:
        if call.function in ARITHMETIC:
            return self._calculation(call)
        function = FUNCTIONS[call.function]
        checks: list[str] = []
        expressions: list[str] = []
        for operand, kind in zip(call.arguments, function.arguments, strict=True):
            if call.function == REGEX and isinstance(operand, Constant):
                expressions.append(self.name(searcher(str(operand.value))))
                continue
            more, expression = self.of_kind(operand, kind)
            checks += more
            expressions.append(expression)
        return checks, function.python.format(*expressions)

    def _calculation(self, call: Call) -> tuple[list[str], str]:
        """A float, checked to be finite; see `arithmetic.py` for what is exact."""
        left, right = call.arguments
        checks, one = self.of_kind(left, Kind.NUMBER)
        more, other = self.of_kind(right, Kind.NUMBER)
        checks += more
        exact = is_exact(left) and is_exact(right)
        sign = call.function
        if sign in "/%" and not isinstance(right, Constant):
            divisor = self.local()
            checks.append(f"({divisor} := {other}) != 0")
            other = divisor
        if sign == "%":
            return checks, f"{'modulo' if exact else 'fmod'}({one}, {other})"
        if exact and sign in "+-":
            value = f"{'plus' if sign == '+' else 'minus'}({one}, {other})"
        elif is_float(left) or is_float(right):
            value = f"{one} {sign} {other}"
        else:
            value = f"{one} * 1.0 {sign} {other}"
        result = self.local()
        checks.append(f"-LARGEST <= ({result} := {value}) <= LARGEST")
        return checks, result

    def _part(self, part: Part) -> str:
        if part.name in SINCE_1970:
            return SINCE_1970[part.name][0].format("timestamp_us")
        clock = "timestamp_us"
        if part.zone != "UTC":
            clock = f"{self.name(zones.local(part.zone))}(timestamp_us)"
        return PARTS[part.name][0].format(clock)


def is_exact(operand: Operand) -> bool:
    """Whether a number may be a whole one that no float holds: those of the event, and constants."""
    return isinstance(operand, Field) or (isinstance(operand, Constant) and isinstance(operand.value, int))


def is_float(operand: Operand) -> bool:
    """Whether a number is a float in Python whatever the event."""
    if isinstance(operand, Constant):
        return isinstance(operand.value, float)
    return isinstance(operand, Call) and operand.function in ARITHMETIC


def joined_checks(checks: list[str]) -> str:
    """An expression that is True where all of them are."""
    return f"({' and '.join(checks)})" if checks else "True"
