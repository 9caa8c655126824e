"""The API's description as a page (`/docs`), for people: drawn on the server, without a script."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any

from signaldesk.web import openapi
from signaldesk.web.routes import API
from signaldesk.web.site import Html

_NULL = {"type": "null"}
_DEEPEST = 4
"""Levels of objects in an example body."""


@dataclass(frozen=True)
class Field:
    """One field of an object; `shape` is the name of the object it holds, if it holds one."""

    name: str
    kind: str
    required: bool
    meaning: str
    shape: str = ""


@dataclass(frozen=True)
class Operation:
    """One route, as a reader wants it."""

    anchor: str
    method: str
    path: str
    summary: str
    needs: str
    query: tuple[str, ...]
    status: str
    body: str
    answer: str
    curl: str


@dataclass
class Group:
    """The routes of one noun."""

    name: str
    operations: list[Operation] = field(default_factory=list)


class Reference(Html):
    """`/docs`."""

    route_name = "/docs"

    def get(self) -> None:
        base_url = self.context.services.settings.base_url
        described = openapi.document(API, base_url=base_url, version=version("signaldesk"))
        self.show("reference.html", groups=groups(described), shapes=shapes(described), base_url=base_url)


def groups(described: dict[str, Any]) -> list[Group]:
    """All routes by noun, in the order of the description."""
    found: dict[str, Group] = {}
    for path, methods in described["paths"].items():
        for method, one in methods.items():
            name = one["tags"][0]
            found.setdefault(name, Group(name)).operations.append(_operation(described, method, path, one))
    return list(found.values())


def shapes(described: dict[str, Any]) -> dict[str, list[Field]]:
    """Every object by name, with its fields."""
    schemas = described["components"]["schemas"]
    return {
        name: list(_fields(schema)) for name, schema in sorted(schemas.items()) if schema.get("properties")
    }


def _operation(described: dict[str, Any], method: str, path: str, one: dict[str, Any]) -> Operation:
    status = next(iter(one["responses"]))
    body = one.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
    answer = one["responses"][status].get("content", {}).get("application/json", {}).get("schema")
    anybody = one.get("security") == []
    scope = one.get("description", "").removeprefix("Needs the scope ").strip("`.")
    return Operation(
        anchor=one["operationId"],
        method=method.upper(),
        path=path,
        summary=one["summary"],
        needs="nothing" if anybody else scope,
        query=tuple(given["name"] for given in one["parameters"] if given["in"] == "query"),
        status=status,
        body=_name(body),
        answer=_name(answer),
        curl=_curl(described, method.upper(), path, body, anybody),
    )


def _curl(described: dict[str, Any], method: str, path: str, body: Any, anybody: bool) -> str:
    """A command to copy; what it sends is what the description says is needed at least."""
    how = "" if method == "GET" or (method == "POST" and body is not None) else f"-X {method} "
    words = [f"curl {how}{described['servers'][0]['url']}{path}"]
    if not anybody:
        words.append('-H "Authorization: Bearer $SIGNALDESK_API_KEY"')
    if body is not None:
        example = _example(described["components"]["schemas"], body)
        words.append("-H 'Content-Type: application/json'")
        words.append(f"-d '{json.dumps(example, ensure_ascii=False)}'")
    return " \\\n  ".join(words)


def _example(schemas: dict[str, Any], schema: dict[str, Any], depth: int = 0) -> Any:
    """The smallest value that the schema takes, as far as a schema tells."""
    schema = _followed(schemas, schema)
    if "const" in schema or schema.get("enum"):
        return schema.get("const", (schema.get("enum") or [None])[0])
    if choices := schema.get("oneOf") or [one for one in schema.get("anyOf", ()) if one != _NULL]:
        return _example(schemas, choices[0], depth)
    match schema.get("type"):
        case "object":
            properties, needed = schema.get("properties", {}), schema.get("required", ())
            if depth == _DEEPEST:
                return {}
            return {name: _example(schemas, properties[name], depth + 1) for name in needed}
        case "array":
            return [_example(schemas, schema["items"], depth + 1)] if schema.get("items") else []
        case "string":
            return "…"
        case "integer" | "number":
            return 1
        case "boolean":
            return True
        case _:
            return None


def _followed(schemas: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in schema:
        schema = schemas[_name(schema)]
    return schema


def _fields(schema: dict[str, Any]) -> Iterable[Field]:
    needed = schema.get("required", ())
    for name, one in schema["properties"].items():
        yield Field(name, _kind(one), name in needed, one.get("description", ""), _name(one))


def _kind(schema: dict[str, Any]) -> str:
    """What a value is, in a few words."""
    if name := _name(schema):
        return name
    if "const" in schema:
        return json.dumps(schema["const"])
    if "enum" in schema:
        return " | ".join(map(json.dumps, schema["enum"]))
    if choices := schema.get("anyOf") or schema.get("oneOf"):
        return " or ".join(dict.fromkeys(map(_kind, choices)))
    if schema.get("type") == "array":
        return f"list of {_kind(schema.get('items', {}))}"
    return str(schema.get("format") or schema.get("type") or "anything")


def _name(schema: dict[str, Any] | None) -> str:
    """The name of the object that a schema refers to; '' when it is none."""
    return schema["$ref"].rpartition("/")[2] if schema and "$ref" in schema else ""
