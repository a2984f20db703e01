"""The readable sources of the packs (`data/*.yaml`) and how they become compiled packs.

A source names its parent; `build` walks up to the nation. Only this module needs YAML.
"""

from pathlib import Path
from typing import Any

import msgspec

from .keys import check
from .pack import Figure, Pack, resolve

DATA = Path(__file__).parent / "data"


class Source(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One file: a layer of rules."""

    code: str
    name: str
    figures: dict[str, tuple[Figure, ...]]
    parent: str = ""


def read(code: str, folder: Path = DATA) -> Source:
    """One layer. Raises `ValueError` naming the file and the key when it is not well formed."""
    import yaml

    path = folder / f"{code}.yaml"
    if not path.is_file():
        raise ValueError(f"there is no rule source {path.name} in {folder}")
    raw: Any = yaml.safe_load(path.read_text())
    try:
        return msgspec.convert(raw, Source, strict=False)
    except msgspec.MsgspecError as wrong:
        raise ValueError(f"{path.name}: {wrong}") from None


def build(code: str, folder: Path = DATA) -> Pack:
    """The compiled pack of a region. Raises `ValueError` when a key is unknown, missing or of the wrong shape."""
    source = read(code, folder)
    chain = [source]
    while chain[0].parent:
        chain.insert(0, read(chain[0].parent, folder))
    pack = resolve(code, source.name, [(layer.code, layer.figures) for layer in chain])
    check(pack)
    return pack


def write(pack: Pack, folder: Path) -> Path:
    """Mount a pack: `<folder>/<sha256>.json`."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{pack.sha256}.json"
    path.write_bytes(pack.canonical())
    return path


def regions(folder: Path = DATA) -> tuple[str, ...]:
    """The codes of all regions (not provinces, not the nation) that have a source."""
    return tuple(sorted(path.stem for path in folder.glob("[0-9][0-9].[0-9][0-9].yaml")))
