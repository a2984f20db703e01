"""`jembatan pack`: rule packs from their readable sources to the mounted file, named by its hash."""

from datetime import date
from pathlib import Path
from typing import Annotated

import typer

from shared.regulation import Pack, sources
from shared.regulation.sources import DATA

Region = Annotated[str, typer.Argument(help="Kode wilayah of the region, as in 13.74.")]
Sources = Annotated[Path, typer.Option(help="Folder of the readable sources.")]

app = typer.Typer(no_args_is_help=True, help="Rule packs: build, show and check them.")


@app.command()
def build(
    region: Region,
    to: Annotated[Path, typer.Option(help="Folder that the services mount.")] = Path("packs"),
    folder: Sources = DATA,
) -> None:
    """Resolve nation, province and region into one file named by its hash.

    Example: jembatan pack build 13.74 --to /etc/jembatan/packs
    """
    typer.echo(str(sources.write(_built(region, folder), to)))


@app.command()
def show(region: Region, folder: Sources = DATA) -> None:
    """Every figure with its date, source and evidence mark.

    Example: jembatan pack show 15.05
    """
    pack = _built(region, folder)
    typer.echo(f"{pack.region} {pack.name}  {pack.sha256}")
    for key, figures in sorted(pack.figures.items()):
        for figure in figures:
            plain = isinstance(figure.value, str | int | bool | date)
            value = figure.value if plain else f"{len(figure.value)} entries"
            typer.echo(f"{key:22} from {figure.from_}  {value}  [{figure.mark}] {figure.source}")


@app.command()
def check(folder: Sources = DATA) -> None:
    """Check the sources of all regions; ends with 1 when one is wrong.

    Example: jembatan pack check
    """
    for region in sources.regions(folder):
        typer.echo(f"{region} {_built(region, folder).sha256}")


def _built(region: str, folder: Path) -> Pack:
    try:
        return sources.build(region, folder)
    except ValueError as wrong:
        typer.echo(f"jembatan: {wrong}", err=True)
        raise typer.Exit(1) from None
