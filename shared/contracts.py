"""The events as a public promise: one JSON Schema and one sample per type, written out, released, and compared both ways.

`write` makes `shared/events/contracts/<type>.schema.json` and `.sample.json` and `docs/events.md` from the catalogue; `drift` says
which files differ from the code. `release` freezes the present contracts under `released/<type>/<n>/`. `compatible` holds the two
promises: today's schema accepts every released sample, and every released schema (open to unknown fields) accepts today's sample.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, get_args
from uuid import UUID, uuid5

import msgspec

from shared.events import CATALOGUE, Fact

FOLDER = Path(__file__).parent / "events" / "contracts"
DOCS = Path(__file__).parent.parent / "docs" / "events.md"
NAMESPACE = UUID("6f1b1a52-7d1b-5c0e-9d83-0d1c3a5b7e90")


def schema(fact: type[Fact]) -> dict[str, Any]:
    """JSON Schema 2020-12 of a fact's body, open to fields it does not know."""
    _, components = msgspec.json.schema_components([fact], ref_template="#/$defs/{name}")
    body: dict[str, Any] = components.pop(fact.__name__)
    found = {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": fact.kind.dataschema, **body}
    if components:
        found["$defs"] = components
    return found


def sample(fact: type[Fact]) -> dict[str, Any]:
    """A body with every field set, the same on every machine; ids and texts are made from the names of the fields."""
    found: dict[str, Any] = json.loads(msgspec.json.encode(msgspec.convert(_values(fact), fact)))
    return found


def _values(struct: type[msgspec.Struct]) -> dict[str, Any]:
    hints = {field.encode_name: (field.name, field.type) for field in msgspec.structs.fields(struct)}
    return {wire: _value(struct.__name__, name, hint) for wire, (name, hint) in hints.items()}


def _value(owner: str, name: str, hint: Any) -> Any:
    plain: Mapping[Any, Any] = {
        UUID: str(uuid5(NAMESPACE, f"{owner}.{name}")),
        date: "2026-01-02",
        datetime: datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC).isoformat(),
        int: 1 + int.from_bytes(hashlib.sha256(name.encode()).digest()[:1]) % 12,
        bool: True,
        str: {"region": "13.74", "kecamatan": "13.74.01", "agency": "rsud", "job": "cleaning"}.get(name, f"{name.strip('_')}-1"),
    }
    if hint in plain:
        return plain[hint]
    arguments = [argument for argument in get_args(hint) if argument not in (type(None), Ellipsis)]
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return _values(hint)
    if getattr(hint, "__origin__", None) is tuple:
        return [_value(owner, name, arguments[0])]
    return _value(owner, name, arguments[0])


def files(folder: Path = FOLDER) -> Iterator[tuple[Path, str]]:
    """Every generated file with the text it must hold."""
    for name, fact in sorted(CATALOGUE.items()):
        yield folder / f"{name}.schema.json", _json(schema(fact))
        yield folder / f"{name}.sample.json", _json(sample(fact))
    if folder == FOLDER:
        yield DOCS, catalogue_page()


def _json(value: object) -> str:
    return json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def write(folder: Path = FOLDER) -> int:
    """Write every generated file; answer how many."""
    count = 0
    for path, text in files(folder):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        count += 1
    return count


def drift(folder: Path = FOLDER) -> list[str]:
    """Generated files that are absent, differ from the code, or belong to no type any more."""
    wanted = dict(files(folder))
    wrong = [str(path) for path, text in wanted.items() if not path.is_file() or path.read_text() != text]
    return wrong + [str(path) for path in sorted(folder.glob("*.json")) if path not in wanted]


def release(folder: Path = FOLDER) -> list[str]:
    """Freeze the contract of every type that differs from its newest release; answer the types. A released file is never rewritten."""
    frozen = []
    for name, fact in sorted(CATALOGUE.items()):
        at = folder / "released" / name
        done = sorted(at.glob("*"), key=lambda path: int(path.name)) if at.is_dir() else []
        text = _json(schema(fact))
        if done and (done[-1] / "schema.json").read_text() == text:
            continue
        to = at / str(len(done) + 1)
        to.mkdir(parents=True)
        (to / "schema.json").write_text(text)
        (to / "sample.json").write_text(_json(sample(fact)))
        frozen.append(name)
    return frozen


def compatible(folder: Path = FOLDER) -> tuple[int, list[str]]:
    """How many comparisons were made, and what broke a promise. Nothing released is a broken promise too: there is nothing to hold."""
    import jsonschema

    def accepts(law: Any, body: Any) -> str:
        found = next(jsonschema.Draft202012Validator(law).iter_errors(body), None)
        return "" if found is None else found.message

    compared, broken = 0, []
    for at in sorted((folder / "released").glob("*/*")):
        name, old = at.parent.name, json.loads((at / "sample.json").read_text())
        fact = CATALOGUE.get(name)
        if fact is None:
            broken.append(f"{name}: released and no longer in the catalogue")
            continue
        compared += 2
        if wrong := accepts(schema(fact), old):
            broken.append(f"{name}: today's schema refuses the sample of release {at.name}: {wrong}")
        if wrong := accepts(json.loads((at / "schema.json").read_text()), sample(fact)):
            broken.append(f"{name}: the schema of release {at.name} refuses today's sample: {wrong}")
    if not compared:
        broken.append("nothing is released: run `jembatan contracts --release`")
    return compared, broken


def catalogue_page() -> str:
    """`docs/events.md`: every stream and every type with its fields and meaning."""
    lines = [
        "# Events",
        "",
        "Generated from `shared/events` by `make contracts`; do not edit. CloudEvents 1.0 binary mode; `ce_type` is",
        "`<prefix>.<type>`, `ce_sequence` the aggregate's version (1, 2, 3 ... without holes on event topics), `ce_subject` the",
        "aggregate's id. Delivery is at least once and in order per key. Codes are open strings: an unknown one must be read past.",
    ]
    streams = sorted({fact.kind.stream for fact in CATALOGUE.values()}, key=lambda stream: stream.topic)
    for stream in streams:
        kind = "compacted: newest record per key" if stream.compacted else "kept for ever, strict sequence"
        lines += ["", f"## `<prefix>.{stream.topic}` ({kind})"]
        for name, fact in sorted(CATALOGUE.items()):
            if fact.kind.stream != stream:
                continue
            lines += ["", f"### `{name}`", "", " ".join((fact.__doc__ or "").split()), ""]
            lines += [f"Aggregate `{fact.kind.aggregate}` (`{fact.kind.id_field}`), key `{fact.kind.key_field}`.", ""]
            lines += ["| field | type |", "|---|---|"]
            lines += [f"| `{field.encode_name}` | {_type(field.type)} |" for field in msgspec.structs.fields(fact)]
    return "\n".join(lines) + "\n"


def _type(hint: Any) -> str:
    text = hint.__name__ if isinstance(hint, type) and not get_args(hint) else str(hint)
    for noise in ("uuid.", "datetime.", "shared.events.vendor."):
        text = text.replace(noise, "")
    return f"`{text}`".replace("|", "or")
