"""Requests that went wrong with somebody's data in them: what officers paste into the wrong place."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from deploy.local.scenario.people import Person
from tests.support.borders import Filler, Route, Unfillable

OFFICE_TEXTS = frozenset(
    {"account", "agency", "basis", "decree", "dpa_number", "job", "kecamatan", "minutes", "number", "site", "source", "spd_number"}
)
"""Texts about contracts, money and decrees, which are kept as they are written: a name is not told from a word in them, but
numbers and addresses of people are, and must be refused."""


@dataclass(frozen=True, slots=True)
class Mishap:
    """One request. `path` is below the service's address."""

    service: str
    method: str
    path: str
    what: str
    options: Mapping[str, Any]


def apart(digits: str) -> str:
    """In groups of four, as people write long numbers."""
    return " ".join(digits[at : at + 4] for at in range(0, len(digits), 4))


def mishaps(routes: list[Route], fill: Filler, person: Person) -> Iterator[Mishap]:
    """Everything that can be got wrong on every route, with this person's data."""
    everything = f"{person.name} {person.nik} {apart(person.nik)} {person.email} {person.phone}"
    for route in routes:
        try:
            asked = fill.requests(route)[0]
        except Unfillable:
            continue
        yield Mishap(route.service, "DELETE", asked.path, "method", {"params": {"nama": everything}})
        yield Mishap(route.service, route.method, f"{asked.path}/{person.nik}", "path", {})
        for place in route.parameters("path"):
            path = route.path.replace(f"{{{place['name']}}}", person.nik)
            yield Mishap(route.service, route.method, path, "path", {"json": asked.json or {}})
        for name in [one["name"] for one in route.operation.get("parameters", ()) if one["in"] == "query"]:
            yield Mishap(route.service, route.method, asked.path, "query", {"params": {**asked.params, name: everything}})
        yield Mishap(route.service, route.method, asked.path, "query", {"params": {**asked.params, person.nik: person.name}})
        if isinstance(asked.json, dict):
            yield from _bodies(route, fill, person, everything)


def _bodies(route: Route, fill: Filler, person: Person, everything: str) -> Iterator[Mishap]:
    full = max((one for one in fill.requests(route)), key=lambda one: len(one.json))
    base = full.json

    def sent(what: str, **options: Any) -> Mishap:
        return Mishap(route.service, route.method, full.path, what, options)

    broken = f'{{"nama": "{everything}'.encode()
    yield sent("no JSON", content=broken, headers={"content-type": "application/json"})
    yield sent("no JSON", content=everything.encode("utf-16"), headers={"content-type": "application/json"})
    yield sent("unknown field", json=base | {"catatan": everything})
    yield sent("unknown field", json=base | {person.nik: 1, person.name: 2, person.name.split()[0]: 3, person.email: 4})
    yield sent("another type", json=[everything])
    yield sent("another type", json={name: {everything: everything} for name in base})
    for text in (person.nik, apart(person.nik), person.email, person.phone):
        for name, body in _filled(base, text):
            yield sent(f"text in {name}", json=body)
    for name, body in [*_filled(base, person.name), *_filled(base, everything)]:
        if name not in OFFICE_TEXTS and not (route.path == "/v1/vendors" and name == "name"):
            yield sent(f"text in {name}", json=body)


def _filled(body: Mapping[str, Any], text: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """The body with one of its texts replaced, each in turn, inside lists too."""
    for name, value in body.items():
        if isinstance(value, str):
            yield name, {**body, name: text}
        elif isinstance(value, list) and value and isinstance(value[0], str):
            yield name, {**body, name: [text]}
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            for inner, changed in _filled(value[0], text):
                yield inner, {**body, name: [changed]}
        elif isinstance(value, dict):
            for inner, changed in _filled(value, text):
                yield inner, {**body, name: changed}


def uploads(region: str, person: Person, good: Mapping[str, str]) -> Iterator[Mishap]:
    """Files with this person's data in the wrong columns, as a header, and as no table at all."""

    def sent(kind: str, content: str | bytes) -> Mishap:
        raw = content.encode() if isinstance(content, str) else content
        options = {"params": {"region": region, "kind": kind}, "content": raw, "headers": {"content-type": "text/csv"}}
        return Mishap("registry", "POST", "/v1/imports", f"file of {kind[:10]}", options)

    texts = (person.name, person.nik, person.email, person.phone)
    lines = [",".join(good)]
    for column in good:
        lines += [",".join({**good, column: text}.values()) for text in texts if not (column == "name" and text == person.name)]
    yield sent("people", "\n".join(lines))
    yield sent("people", ",".join(texts) + "\n" + ",".join(texts))
    yield sent("people", ("nik,name\n" + ",".join(texts)).encode("utf-16"))
    yield sent(person.name, ",".join(good))
    yield sent("stops", f"nik,decree_number,decree_date,effective_on\n{person.nik},{person.nik},2025-12-31,2025-12-31\n")
    yield sent("stops", f"nik,decree_number,decree_date,effective_on\n{person.nik},SK {person.email},2025-12-31,2025-12-31\n")
    yield sent("stops", f"nik,decree_number,decree_date,effective_on\n{person.name},1/2025,{person.name},{person.nik}\n")
    yield sent("selections", f"nik,year,phase,code,listed\n{person.nik},2024,{person.name},{person.phone},yes\n")


def headers_of(person: Person) -> Iterator[dict[str, str]]:
    """Headers with the data in them."""
    for text in (person.nik, person.email, person.name):
        yield {"authorization": f"Bearer {text}"}
        yield {"idempotency-key": text}
        yield {"if-match": f'"{text}"'}
        yield {"user-agent": text, "referer": f"https://contoh.invalid/?{person.nik}", "x-request-id": text}
        yield {"traceparent": f"00-{person.nik}{person.nik}-{person.nik}-01", "tracestate": f"a={person.nik}"}
        yield {"accept-language": text, "content-type": text}
