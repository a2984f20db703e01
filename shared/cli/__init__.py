"""The command `jembatan`: one place for operators. Every command has an example; every error says what to do next."""

import sys


def main() -> None:
    """Run the command line; ends with 0, 1 (failed, one line says why) or 2 (wrong usage)."""
    # Typer and rich are imported here only: services never pay for them.
    from shared.cli.app import build
    from shared.cli.words import advice

    try:
        build(sys.argv[1:])()
    except Exception as error:
        text = advice(error)
        if text is None:
            raise
        sys.stderr.write(f"jembatan: {text}\n")
        raise SystemExit(1) from None
