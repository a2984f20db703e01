"""The repository as a promise: small files, the same rooms everywhere, lists that name what there is, links that lead somewhere.

Every check counts what it looked at; one that found nothing to look at fails.
"""

import ast
import importlib
import inspect
import os
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import pytest
import yaml

from shared import packs
from shared.events import CATALOGUE, Stream
from shared.subscriptions import Subscription
from shared.topics import LIST

ROOT = Path(__file__).resolve().parents[2]
LONGEST = 450
SERVICES = ("notify", "placement", "registry", "vendor")
HEARS_PACKS = ("notify", "placement", "vendor")
COMMON = frozenset(
    ("main", "settings", "api", "schemas", "subscribers", "usecases", "store", "metrics", "domain", "timers", "jobs", "migrations")
)
EXTRA = frozenset(("imports", "delivery", "channels", "pages", "cli", "matching", "watchdog", "ocds"))
MADE = frozenset(("var", "build", "dist", "__pycache__"))
"""Folders that are made here and are no part of the repository; so are hidden ones, apart from `.ci`."""
PRIVATE = tuple(head + tail for head, tail in (("/wo", "rk/"), ("hel", "per-"), ("session", " note")))
"""Put together here, so that this file does not name them."""
REQUESTS = "resend-requests"
"""The one topic that is of no stream: every service writes and hears it."""


def _files(root: Path = ROOT) -> Iterator[Path]:
    for folder, inner, names in os.walk(root):
        inner[:] = sorted(
            one for one in inner if one not in MADE and not one.endswith(".egg-info") and (one == ".ci" or not one.startswith("."))
        )
        yield from (Path(folder, name) for name in sorted(names) if name != ".git")


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


# --- files and rooms -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("part", ["services", "shared", "deploy", "tests"])
def test_no_file_is_longer_than_can_be_read_at_once(part: str) -> None:
    lines = {_name(path): len(path.read_text().splitlines()) for path in _files(ROOT / part) if path.suffix == ".py"}
    assert len(lines) > 10
    assert {name: count for name, count in lines.items() if count > LONGEST} == {}


def test_there_are_the_services_we_know_and_no_others() -> None:
    assert sorted(path.name for path in (ROOT / "services").iterdir() if path.is_dir() and path.name not in MADE) == sorted(SERVICES)


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_has_the_same_rooms_as_all_others(service: str) -> None:
    home = ROOT / "services" / service
    rooms = Counter(
        path.stem for path in home.iterdir() if path.suffix == ".py" or (path.is_dir() and path.name not in MADE and any(path.glob("*.py")))
    )
    assert rooms.pop("__init__") == 1
    assert [name for name, count in rooms.items() if count > 1] == [], "both a module and a package"
    assert COMMON - set(rooms) == set()
    assert set(rooms) - COMMON - EXTRA == set()
    for room in rooms:
        found = home / f"{room}.py"
        assert found.is_file() or (home / room / "__init__.py").is_file(), room
    assert ast.get_docstring(ast.parse((home / "__init__.py").read_text())), "it does not say what it owns, emits and hears"


# --- pages -----------------------------------------------------------------------------------------------------------------


def test_every_decision_is_listed_once_under_its_own_number() -> None:
    folder = ROOT / "docs" / "adr"
    found = sorted(path.name for path in folder.glob("*.md") if path.name != "README.md")
    assert len(found) > 10
    numbers = [name[:4] for name in found]
    assert numbers == [f"{number:04d}" for number in range(1, len(found) + 1)], "one decision, one number, none left out"
    listed = re.findall(r"^- \[(\d{4})\. .+\]\(([^)]+)\)$", (folder / "README.md").read_text(), re.MULTILINE)
    assert listed == list(zip(numbers, found, strict=True))
    heads = [(folder / name).read_text().splitlines()[0] for name in found]
    assert [head[:8] for head in heads] == [f"# {number}. " for number in numbers]


def _pages() -> list[Path]:
    return [path for path in _files() if path.suffix == ".md"]


def _prose(page: Path) -> str:
    """Without code: a bracket there is no link."""
    return re.sub(r"`[^`\n]*`", "`code`", re.sub(r"^ *```.*?^ *```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL))


def _anchors(page: Path) -> set[str]:
    heads = re.findall(r"^#+ +(.+)$", re.sub(r"^ *```.*?^ *```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.strip().lower()).replace(" ", "-") for head in heads}


def _leads(page: Path, target: str) -> bool:
    path, _, anchor = target.partition("#")
    there = (page.parent / path).resolve() if path else page
    if not there.exists() or not there.is_relative_to(ROOT):
        return False
    return not anchor or (there.suffix == ".md" and anchor in _anchors(there))


def test_every_link_leads_somewhere() -> None:
    links = [
        (page, target)
        for page in _pages()
        for target in re.findall(r"\]\(<?([^()\s>]+)>?(?: +\"[^\"]*\")?\)|^\[[^\]]+\]: +(\S+)$", _prose(page), re.MULTILINE)
        for target in target
        if target and not re.match(r"[a-z]+:", target)
    ]
    assert len(links) > 20
    assert [f"{_name(page)}: {target}" for page, target in links if not _leads(page, target)] == []


def test_a_link_to_nowhere_is_found(tmp_path: Path) -> None:
    page = ROOT / "docs" / "adr" / "README.md"
    assert _leads(page, "0001-one-store-one-broker.md") and _leads(page, "../../LICENSE") and _leads(page, "#decisions")
    for target in ("0001-gone.md", "../../../LICENSE", "#no-such-heading", str(tmp_path)):
        assert not _leads(page, target), target


def test_nothing_names_what_only_its_makers_have() -> None:
    read, named = 0, []
    for path in _files():
        text = path.read_bytes().decode(errors="replace").lower()
        read += 1
        named += [f"{_name(path)}: {word}" for word in PRIVATE if word in text]
    assert read > 300
    assert named == []


# --- topics ----------------------------------------------------------------------------------------------------------------


def _listed() -> dict[str, dict[str, Any]]:
    topics = yaml.safe_load(LIST.read_text())["topics"]
    found = {one["name"]: one for one in topics}
    assert len(found) == len(topics) > 1, "listed twice"
    return found


def _streams() -> dict[str, Stream]:
    found = {fact.kind.stream.topic: fact.kind.stream for fact in CATALOGUE.values()}
    assert found
    return found


def _heard(service: str) -> list[Subscription]:
    """Everything a service hears; a room that needs keys for it is handed stand-ins that are never used."""
    room = importlib.import_module(f"services.{service}.subscribers")
    if hasattr(room, "SUBSCRIPTIONS"):
        found = list(room.SUBSCRIPTIONS)
    else:
        found = list(room.subscriptions(*(MagicMock() for _ in inspect.signature(room.subscriptions).parameters)))
    assert found, "hears nothing"
    return [*found, *([packs.subscription(service)] if service in HEARS_PACKS else [])]


def test_the_list_of_topics_is_the_streams_of_the_catalogue() -> None:
    listed, streams = _listed(), _streams()
    assert sorted(listed) == sorted([*streams, REQUESTS])
    for name, stream in streams.items():
        assert (listed[name]["owner"], listed[name]["kind"]) == (stream.owner, "state" if stream.compacted else "event"), name
    assert listed[REQUESTS]["kind"] == "request"


def test_the_listed_consumers_are_those_who_hear() -> None:
    heard: dict[str, set[str]] = {name: set() for name in _streams()}
    for service in SERVICES:
        for one in _heard(service):
            heard[one.stream.topic].add(service)
    listed = _listed()
    assert {name: sorted(listed[name]["consumers"]) for name in heard} == {name: sorted(found) for name, found in heard.items()}
    assert sorted(listed[REQUESTS]["consumers"]) == sorted(SERVICES)


def test_subscriptions_are_named_after_their_service_and_no_two_alike() -> None:
    found = [(service, one.name) for service in SERVICES for one in _heard(service)]
    assert all(name.startswith(f"{service}.") for service, name in found)
    assert [name for name, count in Counter(found).items() if count > 1] == []
    assert {name for _, name in found} >= {f"{service}.packs" for service in HEARS_PACKS}
