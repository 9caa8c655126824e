"""Values of the tree as DuckDB expressions: one for each kind a value may have, NULL where it has another.

Numbers come in two forms: `number` is a DOUBLE, for arithmetic; `key` is a struct that compares exactly, as a
DOUBLE cannot for whole numbers beyond 2**53. Arithmetic may give infinity or NaN while it is written, which
stay what they are under `+`, `-` and `*`; `finite` makes them NULL before they are divided by or compared.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from signaldesk.filters import moments, zones
from signaldesk.filters.duckdb_numbers import number_key, whole_and_rest
from signaldesk.filters.functions import ARITHMETIC, FUNCTIONS, PARTS, REGEX, SINCE_1970
from signaldesk.filters.kinds import kind_of
from signaldesk.filters.python_values import is_exact
from signaldesk.filters.regex import for_duckdb
from signaldesk.filters.tree import Attribute, Call, Coalesce, Constant, Field, Kind, Operand, Part, Path

SQL_TYPES = {Kind.TEXT: "VARCHAR", Kind.NUMBER: "DOUBLE", Kind.BOOLEAN: "BOOLEAN"}
_JSON_TYPES = {
    Kind.TEXT: "'VARCHAR'",
    Kind.NUMBER: "'BIGINT', 'UBIGINT', 'DOUBLE'",
    Kind.BOOLEAN: "'BOOLEAN'",
}
_WHOLE = "'BIGINT', 'UBIGINT'"
_KINDS_STORED = {
    "BIGINT": Kind.NUMBER, "DOUBLE": Kind.NUMBER, "BOOLEAN": Kind.BOOLEAN, "VARCHAR": Kind.TEXT,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Stored:
    """A payload field that has a column of its own, which says of every event what the payload says of it."""

    sql: str
    type: str
    """BIGINT, DOUBLE, BOOLEAN or VARCHAR. In a DOUBLE column whole numbers are below 2**53."""

    @property
    def kind(self) -> Kind:
        return _KINDS_STORED[self.type]


@dataclass(frozen=True, slots=True)
class Columns:
    """SQL expressions for an event's parts: VARCHAR, VARCHAR, TIMESTAMPTZ and JSON."""

    type: str = '"type"'
    source: str = '"source"'
    timestamp: str = '"timestamp"'
    payload: str = '"payload"'
    fields: Mapping[Path, Stored] = field(default_factory=dict)
    """Fields that need not be looked for in the payload."""


class Values:
    """Writes values as SQL over these columns."""

    def __init__(self, columns: Columns) -> None:
        self._columns = columns

    def is_null(self, operand: Operand) -> str:
        """Whether a value is NULL, never NULL itself; a list or an object is not."""
        match operand:
            case Field(path):
                if stored := self.stored(path):
                    return f"({stored.sql} IS NULL)"
                return f"(coalesce({self.json_type(path)}, 'NULL') = 'NULL')"
            case Attribute():
                return f"({self.attribute(operand)} IS NULL)"
            case Coalesce(arguments):
                return f"({' AND '.join(map(self.is_null, arguments))})"
            case Call():
                kind = FUNCTIONS[operand.function].result
                return f"({self.of_kind(operand, kind)} IS NULL)"
            case Constant() | Part():
                return "false"

    def is_kind(self, operand: Operand, kind: Kind) -> str:
        """Whether a value is of a kind, for one that may be of several. NULL where it is NULL, perhaps."""
        if isinstance(operand, Field):
            return f"{self.json_type(operand.path)} IN ({_JSON_TYPES[kind]})"
        return "true" if kind_of(operand) is kind else "false"

    def of_kind(self, operand: Operand, kind: Kind) -> str:
        """The value where it is of this kind, and else NULL; a number as a finite DOUBLE."""
        match operand:
            case Field(path):
                if stored := self.stored(path):
                    return f"CAST({stored.sql if stored.kind is kind else 'NULL'} AS {SQL_TYPES[kind]})"
                text = self.json_text(path)
                found = {
                    Kind.NUMBER: f"TRY_CAST({text} AS DOUBLE)",
                    Kind.BOOLEAN: f"({text} = 'true')",
                }.get(kind, text)
                return f"(CASE WHEN {self.is_kind(operand, kind)} THEN {found} END)"
            case Coalesce(arguments):
                return self._coalesce([(self.is_null(one), self.of_kind(one, kind)) for one in arguments])
            case _ if kind_of(operand) is not kind:
                return f"NULL::{SQL_TYPES[kind]}"
            case Constant():
                return literal(operand) if kind is not Kind.NUMBER else f"'{float(operand.value)!r}'::DOUBLE"
            case Attribute():
                return self.attribute(operand)
            case Part():
                return self._part(operand)
            case Call():
                return finite(operand, self._call(operand))

    def number(self, operand: Operand) -> str:
        """A number as a DOUBLE that arithmetic may have made infinite or NaN; NULL for another kind."""
        return self._call(operand) if isinstance(operand, Call) else self.of_kind(operand, Kind.NUMBER)

    def key(self, operand: Operand) -> str:
        """A number as a struct that compares exactly; NULL for another kind."""
        match operand:
            case Field(path):
                known = self.is_kind(operand, Kind.NUMBER)
                key = number_key(self.json_type(path), self.json_text(path))
                return f"(CASE WHEN {known} THEN {key} END)"
            case Coalesce(arguments):
                return self._coalesce([(self.is_null(one), self.key(one)) for one in arguments])
            case Constant(int() as whole):
                return f"{{'whole': {whole}::HUGEINT, 'rest': 0::DOUBLE}}"
            case _:
                value = self.of_kind(operand, Kind.NUMBER)
                key = f"CASE WHEN v IS NOT NULL THEN {whole_and_rest('v')} END"
                return f"list_transform([{value}], lambda v: {key})[1]"

    def stored(self, path: Path) -> Stored | None:
        return self._columns.fields.get(path)

    def attribute(self, operand: Attribute) -> str:
        return str(getattr(self._columns, operand.name))

    def json_type(self, path: Path) -> str:
        holder, last = self._holder(path)
        return f"json_type({holder}, {last})"

    def json_text(self, path: Path) -> str:
        holder, last = self._holder(path)
        return f"json_extract_string({holder}, {last})"

    def _coalesce(self, alternatives: list[tuple[str, str]]) -> str:
        """The first that is not NULL, even where that one is of another kind and so gives NULL here."""
        *others, (_, last) = alternatives
        branches = "".join(f" WHEN NOT {is_null} THEN {value}" for is_null, value in others)
        return f"(CASE{branches} ELSE {last} END)"

    def _call(self, call: Call) -> str:
        if call.function in ARITHMETIC:
            return self._calculation(call)
        function = FUNCTIONS[call.function]
        arguments = [
            self.of_kind(one, kind) for one, kind in zip(call.arguments, function.arguments, strict=True)
        ]
        if call.function == REGEX and isinstance(call.arguments[1], Constant):
            arguments[1] = quoted(for_duckdb(str(call.arguments[1].value)))
        return function.sql.format(*arguments)

    def _calculation(self, call: Call) -> str:
        left, right = call.arguments
        sign = call.function
        one = self.number(left)
        other = self.of_kind(right, Kind.NUMBER) if sign in "/%" else self.number(right)
        result = f"({one} {sign} {other})"
        if sign in "*/" or not (is_exact(left) and is_exact(right)):
            return result
        whole = f"{self._whole(left)} {sign} {self._whole(right)}"
        if sign == "%":
            exact = f"CAST({self._whole(left)} % nullif({self._whole(right)}, 0) AS DOUBLE)"
        else:
            exact = f"coalesce(CAST(TRY_CAST({whole} AS BIGINT) AS DOUBLE), {result})"
        return (
            f"(CASE WHEN {self._is_whole(left)} AND {self._is_whole(right)} THEN {exact} ELSE {result} END)"
        )

    def _is_whole(self, operand: Operand) -> str:
        if isinstance(operand, Field):
            return f"{self.json_type(operand.path)} IN ({_WHOLE})"
        return "true"

    def _whole(self, operand: Operand) -> str:
        if isinstance(operand, Field):
            return f"TRY_CAST({self.json_text(operand.path)} AS HUGEINT)"
        assert isinstance(operand, Constant)
        return f"{operand.value}::HUGEINT"

    def _part(self, part: Part) -> str:
        micros = f"epoch_us({self._columns.timestamp})"
        if part.name in SINCE_1970:
            return f"CAST({SINCE_1970[part.name][1].format(micros)} AS DOUBLE)"
        local = micros if part.zone == "UTC" else zones.local_sql(part.zone, micros)
        return f"CAST({PARTS[part.name][1].format(f'make_timestamp({local})')} AS DOUBLE)"

    def _holder(self, path: Path) -> tuple[str, str]:
        """The JSON to start from and the quoted path from there; the payload itself for all usual keys."""
        holder, plain = self._columns.payload, "$"
        for part in path:
            if isinstance(part, int):
                plain += f"[{part}]"
            elif _is_plain(part):
                plain += f'."{part}"'
            else:  # `*` would be a wildcard and quotes end the key: only a JSON pointer can name it
                holder = holder if plain == "$" else f"json_extract({holder}, {quoted(plain)})"
                holder, plain = f"json_extract({holder}, {quoted(_pointer(part))})", "$"
        return holder, quoted(plain)


def finite(operand: Operand, value: str) -> str:
    """The value, NULL where arithmetic made it infinite or NaN. A lambda, so that it is written once."""
    if isinstance(operand, Call) and operand.function in ARITHMETIC:
        return f"list_transform([{value}], lambda v: CASE WHEN isfinite(v) THEN v END)[1]"
    return value


def literal(constant: Constant) -> str:
    """A constant as a DuckDB literal of its own type."""
    match constant.kind:
        case Kind.MOMENT:
            return f"TIMESTAMPTZ {quoted(moments.to_text(int(constant.value)))}"
        case Kind.TEXT:
            return quoted(str(constant.value))
        case _:
            return str(constant.value)


def quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _is_plain(key: str) -> bool:
    return not any(character in '"*\\' for character in key)


def _pointer(key: str) -> str:
    return "/" + key.replace("~", "~0").replace("/", "~1")
