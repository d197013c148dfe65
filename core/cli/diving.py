"""The command that reads a dive number."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from core.cli.shared import Json


def dive(
    number: Annotated[str, typer.Argument(help="Such as 107B or 5253B.")],
    as_json: Json = False,
) -> None:
    """Say what a dive number of World Aquatics stands for."""
    from core.recognize.dives import ARMSTAND, DIRECTIONS, POSITIONS, parse_dive, somersaults_in_words, twists_in_words

    read = parse_dive(number)
    takeoff = DIRECTIONS.get(read.direction)
    if as_json:
        said = {
            "number": read.number(),
            "sentence": f"{read.sentence()}.",
            "group": read.group,
            "takeoff": takeoff,
            "armstand": read.group == ARMSTAND,
            "flying": read.flying,
            "somersaults": read.half_somersaults / 2,
            "twists": read.half_twists / 2,
            "position": POSITIONS[read.position],
        }
        typer.echo(json.dumps(said, allow_nan=False))
        return
    typer.echo(f"{read.number()}: {read.sentence()}.")
    parts = {
        "takeoff": " ".join([*(["armstand"] if read.group == ARMSTAND else []), *([takeoff] if takeoff else [])]),
        "flight": "flying" if read.flying else None,
        "somersaults": somersaults_in_words(read.half_somersaults),
        "twists": twists_in_words(read.half_twists),
        "position": POSITIONS[read.position],
    }
    for part, words in parts.items():
        if words:
            typer.echo(f"  {part:12} {words}")
