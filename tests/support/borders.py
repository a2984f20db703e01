"""Requests made from the OpenAPI documents of the running services: every route, filled with real ids of a region."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

METHODS = ("get", "post", "put", "patch", "delete")
MEANS: Mapping[str, str] = {
    # what a parameter or a field of a body is an id of, where its name does not say it
    "survivor_id": "worker_id",
    "merged_id": "worker_id",
    "worker_ids": "worker_id",
    "worker_numbers": "worker_number",
    "niks": "nik",
    "budget_line_ids": "line_id",
    "successor_of": "contract_id",
}
TEXTS: Mapping[str, str] = {
    "account": "5.1.02.02.01.0031",
    "agency": "setda",
    "basis": "Perda 1/2026",
    "decree": "SK-1/2026",
    "dpa_number": "DPA-2026/9",
    "email": "orang@contoh.invalid",
    "families": "cleaning",
    "ground": "health",
    "grounds": "finances",
    "job": "cleaning",
    "kecamatan": "99.01.01",
    "kind": "people",
    "lang": "id",
    "minutes": "BA-9/2026",
    "name": "PT Tetangga",
    "nib": "9999999999999",
    "number": "027/900/2026",
    "phone": "080012345678",
    "r": "ab" * 32,
    "reason": "typing",
    "reasons": "wage",
    "run_sha256": "ab" * 32,
    "sha256": "ab" * 32,
    "site": "Kantor",
    "source": "BA-9/2026",
    "spd_number": "SPD-2026/9",
    "state": "open",
}
"""What a text without a closed list of values is filled with, by its name."""
FILES: Mapping[tuple[str, str], bytes] = {
    ("POST", "/v1/imports"): b"nik,name\n1,x\n",
    ("POST", "/v1/contracts/{contract_id}/signature"): b"",
    ("POST", "/a/{token}"): b"says=yes",
}
"""Routes whose body is no described JSON."""
LEFT_OUT = frozenset({"limit", "cursor", "Idempotency-Key"})


class Unfillable(Exception):
    """The generator does not know what to put there: say it in one of the tables above."""


@dataclass(frozen=True, slots=True)
class Route:
    """One operation of one service."""

    service: str
    method: str
    path: str
    operation: Mapping[str, Any] = field(compare=False, repr=False)
    schemas: Mapping[str, Any] = field(compare=False, repr=False)

    @property
    def title(self) -> str:
        """As it is spoken of."""
        return f"{self.service} {self.method} {self.path}"

    def parameters(self, place: str) -> list[Mapping[str, Any]]:
        """Those in the `path` or the `query`."""
        return [one for one in self.operation.get("parameters", ()) if one["in"] == place and one["name"] not in LEFT_OUT]


@dataclass(frozen=True, slots=True)
class Asked:
    """A request. `foreign`: it names the other region or a thing of it, where its own region would have been right."""

    path: str
    params: Mapping[str, Any]
    json: Any
    content: bytes | None
    foreign: bool

    def sent(self) -> str:
        """Everything in it, as text."""
        return f"{self.path} {self.params} {self.json}"


def routes(service: str, document: Mapping[str, Any]) -> Iterator[Route]:
    """Every operation of the document."""
    for path, item in document["paths"].items():
        for method, operation in item.items():
            assert method in METHODS, (service, path, method)
            yield Route(service, method.upper(), path, operation, document.get("components", {}).get("schemas", {}))


@dataclass(slots=True)
class Filler:
    """Fills requests with what is `known` of the region: kind of id -> real values."""

    known: Mapping[str, Sequence[str]]
    region: str
    own: str
    """The caller's region."""
    day: str

    def requests(self, route: Route) -> list[Asked]:
        """All ways of asking on a route. Raises `Unfillable`."""
        path = route.path
        for one in route.parameters("path"):
            value = self.region if one["name"] == "region" else self._known(route, one["name"])
            path = path.replace(f"{{{one['name']}}}", value)
        named = "{" in route.path
        found = []
        for params, abroad in self._queries(route):
            for body, there in self._bodies(route):
                content = FILES.get((route.method, route.path)) if body is None else None
                foreign = named or abroad or there
                found.append(Asked(path, params, body, content, foreign))
        return found

    def _queries(self, route: Route) -> list[tuple[dict[str, Any], bool]]:
        """(query, whether the other region is asked for in it): by region; by nothing; by each filter under the own region."""
        parameters = route.parameters("query")
        needed = {one["name"]: self._value(route, one["name"], one["schema"]) for one in parameters if one["required"]}
        if all(one["name"] != "region" for one in parameters):
            every = needed | {one["name"]: self._value(route, one["name"], one["schema"]) for one in parameters}
            return [(needed, False)] if every == needed else [(needed, False), (every, False)]
        found = [(needed | {"region": self.region}, True), (needed | {"region": self.own}, False)]
        if "region" not in needed:
            found.append((needed, False))
        for one in parameters:
            if one["name"] not in {"region", *needed}:
                value = self._value(route, one["name"], one["schema"])
                found += [(query | {one["name"]: value}, abroad) for query, abroad in found[:1]]
                found.append((needed | {"region": self.own, one["name"]: value}, False))
        return found

    def _bodies(self, route: Route) -> list[tuple[Any, bool]]:
        """(body, whether it names something of the other region as the region of the matter)."""
        content = route.operation.get("requestBody", {}).get("content", {})
        if not content:
            if route.method != "GET" and (route.method, route.path) not in FILES:
                raise Unfillable(f"{route.title} takes a body that its document does not describe")
            return [(None, False)]
        schema = self._resolved(route, content["application/json"]["schema"])
        properties, needed = schema.get("properties", {}), set(schema.get("required", ()))
        optional = [name for name in properties if name not in needed]
        sets = [needed, *({*needed, name} for name in optional), set(properties)]
        bodies = []
        for names in sets:
            body = {name: self._value(route, name, properties[name]) for name in properties if name in names}
            if body not in bodies:
                bodies.append(body)
        if "region" not in properties:
            return [(body, True) for body in bodies]
        return [(body, True) for body in bodies] + [(body | {"region": self.own}, False) for body in bodies]

    def _resolved(self, route: Route, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        if "$ref" in schema:
            found: Mapping[str, Any] = route.schemas[schema["$ref"].rsplit("/", 1)[-1]]
            return found
        for one in schema.get("anyOf", ()):
            if one.get("type") != "null":
                return self._resolved(route, one)
        return schema

    def _value(self, route: Route, name: str, given: Mapping[str, Any]) -> Any:
        schema = self._resolved(route, given)
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            return next(value for value in schema["enum"] if value)
        match schema.get("type"):
            case "boolean":
                return True
            case "integer":
                return int(max(schema.get("minimum", 1), 1))
            case "array":
                return [self._value(route, name, schema["items"])]
            case "object":
                inner = schema.get("properties", {})
                return {key: self._value(route, key, value) for key, value in inner.items() if key in schema.get("required", inner)}
            case "string":
                return self._text(route, name, schema)
        raise Unfillable(f"{route.title}: {name} is {dict(schema)}")

    def _text(self, route: Route, name: str, schema: Mapping[str, Any]) -> str:
        if name == "region":
            return self.region
        if schema.get("format") == "date":
            return f"{self.day[:8]}01" if name == "month" else self.day
        if schema.get("format") == "date-time":
            return f"{self.day}T10:00:00Z"
        if MEANS.get(name, name) in self.known or schema.get("format") == "uuid":
            return self._known(route, name)
        if name not in TEXTS:
            raise Unfillable(f"{route.title}: nobody said what `{name}` is filled with")
        value = TEXTS[name]
        if (pattern := schema.get("pattern")) and not re.search(pattern, value):
            raise Unfillable(f"{route.title}: `{name}` is not filled with what it must look like ({pattern})")
        return value

    def _known(self, route: Route, name: str) -> str:
        kind = MEANS.get(name, name)
        values = self.known.get(f"{route.service} {kind}") or self.known.get(f"{route.path} {kind}") or self.known.get(kind)
        if not values:
            raise Unfillable(f"{route.title}: no real {kind} is known")
        return values[1] if name == "merged_id" and len(values) > 1 else values[0]
