"""``results.json``: all that a comparison found, from which its report can be written again."""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import Any

import torch

import numformats as nf
from samplers.compare.command import repeat_command
from samplers.compare.config import Config, accelerator_label
from samplers.compare.folder import SCHEMA, versions
from samplers.compare.network import describe_problem
from samplers.compare.plots.toy import densities
from samplers.durable import read_json
from samplers.images import Images

Summary = dict[str, Any]
Results = dict[str, Any]
PARTS = ("command", "config", "versions", "problem", "accelerators", "rows", "layers", "toy")


def assemble(
    config: Config,
    folder: Path | None,
    images: Images,
    rows: list[Summary],
    draws: dict[str, torch.Tensor],
) -> Results:
    """The content of ``results.json``, plain data.

    Args:
        config: of the comparison.
        folder: where MNIST lies, if it was given.
        images: data that the rows were trained on.
        rows: their summaries.
        draws: of the Gaussian toy.
    """
    return {
        "schema": SCHEMA,
        "command": repeat_command(config, folder),
        "config": config.to_json(),
        "versions": versions(),
        "problem": describe_problem(images, config.hidden),
        "accelerators": [_chip(text) for text in config.accelerators],
        "rows": rows,
        "layers": _layers(rows),
        "toy": densities(draws),
    }


def read_results(folder: Path) -> Results:
    """``results.json`` of a folder.

    Raises:
        ValueError: no such file, or one that this version does not read.
    """
    path = folder / "results.json"
    if not path.is_file():
        partial = folder / "config.json"
        hint = (
            f"it was not finished; samplers compare --config {partial} --out {folder} goes on"
            if partial.is_file()
            else "write a folder that samplers compare --out made"
        )
        raise ValueError(f"{folder} holds no results.json: {hint}")
    try:
        content = read_json(path)
    except ValueError as error:
        raise ValueError(f"{error}; run samplers compare again") from error
    if content.get("schema") != SCHEMA:
        raise ValueError(
            f"{path} has schema {content.get('schema')!r}, wanted {SCHEMA}; run samplers compare "
            "again"
        )
    missing = [part for part in PARTS if part not in content]
    if missing:
        raise ValueError(f"{path} lacks {', '.join(missing)}; run samplers compare again")
    return content


def _chip(text: str) -> dict[str, str]:
    chip = nf.accelerator(text)
    return {"name": accelerator_label(text), "preset": text, "words": chip.explain()}


def _layers(rows: list[Summary]) -> dict[str, Any] | None:
    """SQNR by format and tensor, mean over the chains, of the first row that has float32 weights.

    SGLD goes first. None where no such row was trained.
    """
    found = [row for row in rows if all("layers" in chain for chain in row["chains"])]
    found.sort(key=lambda row: row["sampler"] != "SGLD")
    if not found or not found[0]["chains"][0]["layers"]:
        return None
    chains = [chain["layers"] for chain in found[0]["chains"]]
    formats = list(chains[0])
    tensors = list(chains[0][formats[0]])
    table = [[_mean([c[f][t] for c in chains]) for t in tensors] for f in formats]
    of = f"{found[0]['sampler']} {found[0]['format']}"
    return {"of": of, "formats": formats, "tensors": tensors, "sqnr_db": table}


def _mean(values: list[float | None]) -> float | None:
    inexact = [value for value in values if value is not None]
    return statistics.fmean(inexact) if inexact else None
