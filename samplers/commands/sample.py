"""``samplers sample``: chains from a file of their specification to a folder of samples."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from samplers.commands.refusing import AsJson, interrupted, print_json, refusals, screen


def sample(
    spec: Annotated[Path, typer.Argument(help="JSON file with the fields of samplers.ChainSpec.")],
    chains: Annotated[int, typer.Option(min=1, help="Chains, numbered from the file's chain.")] = 1,
    processes: Annotated[
        int | None,
        typer.Option(min=1, help="Processes (by default as many as the CPUs have room for)."),
    ] = None,
    engine: Annotated[str, typer.Option(help="local or ray.")] = "local",
    as_json: AsJson = False,
) -> None:
    """Run chains, or what is left of them, and keep their samples in the file's folder.

    Functions that the file names may lie in modules of the current folder.
    """
    from samplers.chains import run_chains
    from samplers.spec import read_spec
    from samplers.store import SampleStore

    sys.path.insert(0, str(Path.cwd()))
    with refusals("sample"):
        first = read_spec(spec)
        specs = [replace(first, chain=first.chain + k) for k in range(chains)]
        try:
            folders = run_chains(specs, engine, processes=processes)
        except KeyboardInterrupt:
            interrupted("sample", f"the same command goes on in {str(first.folder)!r}")
    store = SampleStore(folders[0])
    if not as_json:
        screen.print(store)
        return
    samples = [{**vars(entry), "path": str(entry.path)} for entry in store.entries]
    print_json({"folder": str(folders[0]), "samples": samples})
