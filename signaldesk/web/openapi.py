"""The API's description (OpenAPI 3.1), made from the route table alone, so that the two cannot disagree."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from signaldesk.web.route import Door, Route

PROBLEM = {
    "type": "object",
    "description": "RFC 9457 problem document",
    "required": ["type", "title", "status", "code", "detail", "errors", "request_id"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string", "description": "Stable, for programs"},
        "detail": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["field", "message"],
                "properties": {"field": {"type": "string"}, "message": {"type": "string"}},
            },
        },
        "request_id": {"type": "string"},
    },
}
_REF = "#/components/schemas/{model}"


def document(routes: Iterable[Route], *, base_url: str, version: str) -> dict[str, Any]:
    """The whole description; JSON-able."""
    routes = tuple(routes)
    inputs = {route.body for route in routes if route.body is not None}
    outputs = {route.answer for route in routes if route.answer is not None}
    wanted: list[tuple[type[BaseModel], Any]] = [(model, "validation") for model in inputs]
    wanted += [(model, "serialization") for model in outputs]
    wanted.sort(key=lambda pair: (pair[0].__name__, pair[1]))
    refs, definitions = models_json_schema(wanted, ref_template=_REF)
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, refs)
    return {
        "openapi": "3.1.0",
        "info": {"title": "SignalDesk", "version": version},
        "servers": [{"url": base_url}],
        "security": [{"key": []}, {"session": []}],
        "paths": paths,
        "components": {
            "schemas": {**definitions.get("$defs", {}), "Problem": PROBLEM},
            "securitySchemes": {
                "key": {"type": "http", "scheme": "bearer", "bearerFormat": "sk_ and 48 hexadecimal digits"},
                "session": {"type": "apiKey", "in": "cookie", "name": "sd_session"},
            },
        },
    }


def _operation(route: Route, refs: Any) -> dict[str, Any]:
    answers: dict[str, Any] = {str(route.status): {"description": "Done"}}
    if route.answer is not None:
        other = {media: {"schema": {"type": "string", "format": "binary"}} for media in route.also}
        answers[str(route.status)]["content"] = _json(refs[route.answer, "serialization"]) | other
    answers["default"] = {
        "description": "Refused or failed; the problem document says why",
        "content": {"application/problem+json": {"schema": {"$ref": _REF.format(model="Problem")}}},
    }
    operation: dict[str, Any] = {
        "operationId": f"{route.handle.__module__.rpartition('.')[2]}_{route.handle.__name__}",
        "summary": route.summary,
        "tags": [route.path.split("/")[3]],
        "parameters": [*_path_parameters(route), *_query_parameters(route)],
        "responses": answers,
    }
    if route.body is not None:
        operation["requestBody"] = {"required": True, "content": _json(refs[route.body, "validation"])}
    if route.scope:
        operation["description"] = f"Needs the scope `{route.scope}`."
    if route.door is Door.ANYBODY:
        operation["security"] = []
    return operation


def _path_parameters(route: Route) -> list[dict[str, Any]]:
    id = {"type": "string", "format": "uuid"}
    number = {"type": "integer", "minimum": 1}
    return [
        {"name": name, "in": "path", "required": True, "schema": number if name == "n" else id}
        for name in re.findall(r"\{(\w+)\}", route.path)
    ]


def _query_parameters(route: Route) -> list[dict[str, Any]]:
    return [{"name": name, "in": "query", "schema": {"type": "string"}} for name in route.query]


def _json(schema: Any) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}
