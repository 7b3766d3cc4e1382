"""A page for every maker of accelerators, from the registry: what is stored how, how products add
up, how sure that is, and the sources."""

from __future__ import annotations

import re
from itertools import groupby
from typing import Any

from mkdocs.structure.files import File, Files

import numformats as nf

MAKERS = {
    "amd": "AMD",
    "arm": "Arm",
    "aws": "AWS Trainium",
    "cerebras": "Cerebras",
    "fpga": "FPGAs",
    "google": "Google TPU",
    "graphcore": "Graphcore",
    "ibm": "IBM",
    "intel": "Intel",
    "max78000": "MAX78000",
    "microsoft": "Microsoft",
    "nvidia-a100": "NVIDIA A100",
    "nvidia-ada": "NVIDIA Ada",
    "nvidia-b200": "NVIDIA B200",
    "nvidia-h100": "NVIDIA H100",
    "nvidia-rtx": "NVIDIA RTX Blackwell",
    "nvidia-t4": "NVIDIA T4",
    "nvidia-v100": "NVIDIA V100",
    "tenstorrent": "Tenstorrent",
    "tesla": "Tesla Dojo",
}
HEAD = """# {title}

Made from the registry: `nf.accelerator(name).explain()` says the same.
[Accelerators](../accelerators.md) explains the words.

| preset | confidence | weights | engine |
|---|---|---|---|
"""


def maker(name: str) -> str:
    """The page of a preset: its first word, for NVIDIA the first two."""
    words = name.split("-")
    return "-".join(words[: 1 + (words[0] == "nvidia")])


def pages() -> dict[str, str]:
    """Path and Markdown of every page; together they hold every preset once."""
    chips = sorted(nf.accelerators().values(), key=lambda chip: (maker(chip.name), chip.name))
    return {
        f"accelerators/{name}.md": _page(MAKERS.get(name, name), list(group))
        for name, group in groupby(chips, lambda chip: maker(chip.name))
    }


def _page(title: str, chips: list[Any]) -> str:
    return HEAD.format(title=title) + "".join(map(_row, chips)) + "".join(map(_section, chips))


def _row(chip: Any) -> str:
    engine = type(chip.engine).__name__
    return f"| [`{chip.name}`](#{chip.name}) | {chip.confidence} | `{chip.weights}` | {engine} |\n"


def _section(chip: Any) -> str:
    told = {", ".join(names): text for text, names in facts(chip).items()}
    told["Sources"] = "\n    ".join(["", *(f"* {source}" for source in chip.sources)])
    rows = "".join(f"{name}\n:   {text}\n\n" for name, text in told.items())
    return f"\n## {chip.name}\n\n{chip.title}\n\n{rows}"


def facts(chip: Any) -> dict[str, list[str]]:
    """The paragraphs of ``explain`` but the sources, each with the words that head it."""
    found: dict[str, list[str]] = {}
    for part in re.split(r"\n(?=\w)", chip.explain().split("\n\n", 1)[1]):
        name, text = part.split(None, 1)
        if name != "Sources":
            line = " ".join(text.split()).replace("<", "&lt;")
            found.setdefault(line, []).append(name)
    return found


def on_config(config: Any) -> None:
    """The pages go into the navigation by maker."""
    found = [{text.splitlines()[0].removeprefix("# "): path} for path, text in pages().items()]
    at = next(i for i, entry in enumerate(config.nav) if "API" in entry)
    config.nav.insert(at + 1, {"Accelerators": ["accelerators/index.md", *found]})


def on_files(files: Files, config: Any) -> None:
    """Pages are made, not kept."""
    made = pages()
    rows = "".join(
        f"* [{text.splitlines()[0].removeprefix('# ')}]({path.removeprefix('accelerators/')}): "
        f"{text.count(chr(10) + '## ')} presets\n"
        for path, text in made.items()
    )
    index = f"# Accelerators by maker\n\nMade from the registry, `nf.accelerators()`.\n\n{rows}"
    for path, text in {"accelerators/index.md": index, **made}.items():
        files.append(File.generated(config, path, content=text))
