"""Persona's own OpenAPI as a judge: of what we send, of what the emulator answers, and of webhooks.

The document is Persona's (github persona-id/persona-openapi, version 2025-12-08, Apache-2.0) and lies beside the project, in
the directory that the environment variable IDV_OPENAPI names, or in `shared/openapi` beside a directory above this file.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx

FILE = "persona-idv.yaml"
_WHERE = "IDV_OPENAPI"
_BASE = "/api/v1"
_METHODS = frozenset({"get", "post", "patch", "delete"})


def find() -> Path | None:
    """Where the document is, None where it is not. Where the variable is set, nowhere else is looked."""
    given = os.environ.get(_WHERE)
    beside = [above / "shared" / "openapi" for above in Path(__file__).resolve().parents]
    places = [Path(given)] if given else beside
    return next((place / FILE for place in places if (place / FILE).is_file()), None)


def missing() -> str:
    """The sentence for those who have not got it."""
    return f"NOT JUDGED: Persona's OpenAPI is not here: set {_WHERE} to the directory that holds {FILE}"


@cache
def judge() -> Judge:
    """The judge. Raises AssertionError where the document is not there."""
    place = find()
    assert place is not None, missing()
    return Judge(place)


class Judge:
    """Validates calls and webhooks by the document; each fault is a sentence."""

    def __init__(self, place: Path) -> None:
        # these have stubs on some machines only
        yaml, jsonschema, referencing, drafts = (
            import_module(name) for name in ("yaml", "jsonschema", "referencing", "referencing.jsonschema")
        )
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        self.document: Any = yaml.load(place.read_text(encoding="utf-8"), loader)
        resource = referencing.Resource(contents=self.document, specification=drafts.DRAFT202012)
        self._registry: Any = referencing.Registry().with_resource("urn:persona", resource)
        self._validator: Any = jsonschema.Draft202012Validator
        self._formats: Any = jsonschema.FormatChecker()
        self.title = f"Persona's OpenAPI {self.document['info']['version']}"

    def call(self, request: httpx.Request, sent: bytes, response: httpx.Response, answered: bytes) -> Iterator[str]:
        """What is wrong with a call and its answer."""
        url = urlsplit(str(request.url))
        found = self._operation(request.method.lower(), url.path.removeprefix(_BASE))
        if found is None:
            yield f"{request.method} {url.path} is not in the document"
            return
        where, operation = found
        for fault in (
            *self._parameters(operation, url.query, request.headers),
            *self._sent(operation, where, sent),
            *self._answered(operation, where, response, answered),
        ):
            yield f"{operation['operationId']}: {fault}"

    def name(self, request: httpx.Request) -> str:
        """The operation that a call is, by the document's name."""
        path = urlsplit(str(request.url)).path.removeprefix(_BASE)
        found = self._operation(request.method.lower(), path)
        return str(found[1]["operationId"]) if found else f"{request.method} {path}"

    def webhook(self, body: bytes) -> Iterator[str]:
        """What is wrong with the body of a webhook."""
        data = json.loads(body)
        name = data["data"]["attributes"]["name"]
        if name not in self.document["webhooks"]:
            yield f"there is no event {name}"
            return
        yield from self._faults(("webhooks", name, "post", *_JSON_BODY), data)

    def _operation(self, method: str, path: str) -> tuple[tuple[str, ...], Mapping[str, Any]] | None:
        for template, operations in self.document["paths"].items():
            wanted, parts = template.split("/"), path.split("/")
            if len(wanted) == len(parts) and all(
                one.startswith("{") or one == two for one, two in zip(wanted, parts, strict=True)
            ):
                return (("paths", template, method), operations[method]) if method in operations else None
        return None

    def _parameters(self, operation: Mapping[str, Any], query: str, headers: Mapping[str, str]) -> Iterator[str]:
        known = {one["name"]: one["schema"] for one in map(self._resolved, operation.get("parameters", ()))}
        objects: dict[str, dict[str, Any]] = {}
        for key, value in parse_qsl(query, keep_blank_values=True):
            name, _, part = key.rstrip("]").partition("[")
            if name not in known:
                yield f"there is no parameter {key}"
            elif part:
                is_number = self._resolved(known[name])["properties"].get(part, {}).get("type") == "number"
                objects.setdefault(name, {})[part] = float(value) if is_number else value
        for name, given in objects.items():
            yield from self._by(known[name], given)
        for name in ("Persona-Version", "Key-Inflection"):
            if name in headers:
                yield from self._by(known[name], headers[name])

    def _sent(self, operation: Mapping[str, Any], where: tuple[str, ...], sent: bytes) -> Iterator[str]:
        body = operation.get("requestBody")
        if body is None:
            if sent:
                yield "it takes no body"
            return
        if sent:
            place = tuple(body["$ref"].removeprefix("#/").split("/")) if "$ref" in body else (*where, "requestBody")
            yield from self._faults((*place, *_JSON), json.loads(sent))

    def _answered(
        self, operation: Mapping[str, Any], where: tuple[str, ...], response: httpx.Response, answered: bytes
    ) -> Iterator[str]:
        status = str(response.status_code)
        if status not in operation["responses"]:
            yield f"{status} is no answer of it"
            return
        said = operation["responses"][status]
        place = tuple(said["$ref"].removeprefix("#/").split("/")) if "$ref" in said else (*where, "responses", status)
        media = response.headers.get("content-type", "").split(";")[0]
        content = self._resolved(said).get("content", {})
        if media not in content:
            yield f"{media} is no media type of its answer {status}"
        elif media == "application/json":
            yield from self._faults((*place, *_JSON), json.loads(answered))

    def _faults(self, place: tuple[str, ...], data: Any) -> Iterator[str]:
        pointer = "/".join(part.replace("~", "~0").replace("/", "~1") for part in place)
        return self._by({"$ref": f"urn:persona#/{pointer}"}, data)

    def _by(self, schema: Mapping[str, Any], data: Any) -> Iterator[str]:
        local = {"$ref": f"urn:persona{schema['$ref']}"} if str(schema.get("$ref", "")).startswith("#") else schema
        validator = self._validator(local, registry=self._registry, format_checker=self._formats)
        for error in validator.iter_errors(data):
            yield f"{error.json_path}: {error.message[:300]}"

    def _resolved(self, part: Mapping[str, Any]) -> Mapping[str, Any]:
        if "$ref" not in part:
            return part
        found: Any = self.document
        for name in part["$ref"].removeprefix("#/").split("/"):
            found = found[name]
        return dict(found)


_JSON = ("content", "application/json", "schema")
_JSON_BODY = ("requestBody", *_JSON)


class Judged(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """A transport whose calls are judged. `faults` are what is wrong, `operations` what was called."""

    def __init__(self, inner: Any, by: Judge) -> None:
        self._inner = inner
        self._judge = by
        self.faults: list[str] = []
        self.operations: set[str] = set()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        request.read()
        response: httpx.Response = self._inner.handle_request(request)
        self._look(request, response, response.read())
        return response

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await request.aread()
        response: httpx.Response = await self._inner.handle_async_request(request)
        self._look(request, response, await response.aread())
        return response

    def _look(self, request: httpx.Request, response: httpx.Response, answered: bytes) -> None:
        if request.url.path.startswith(f"{_BASE}/"):
            self.operations.add(self._judge.name(request))
            self.faults += self._judge.call(request, request.content, response, answered)
