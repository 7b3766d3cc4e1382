"""What the page says in sentences."""

from __future__ import annotations

import dataclasses
from typing import Any

from samplers.compare.config import Config
from samplers.compare.summary import spread

METHODS = {
    "SGD": "Stochastic gradient descent: no noise is injected, its iterates are averaged alike.",
    "SGLD": "Stochastic gradient Langevin dynamics, weights in float32.",
    "cSGLD": "SGLD with a cyclical step size; samples come from the end of each cycle.",
    "SGLD-F": "SGLD with a float32 accumulator; the network computes with its rounding.",
    "VC SGLD-L": "Low-precision weights only, drawn with corrected variance.",
    "SGLD-L": "Low-precision weights only, rounded stochastically: naive.",
    "SGD-L": "SGD on low-precision weights only: the control without noise.",
    "SGLD inference": "SGLD trained in float32; the accelerator computes its predictions alone.",
}
DATA = {"digits": "scikit-learn's digits", "mnist": "MNIST"}


def question(results: dict[str, Any]) -> list[str]:
    """What was asked of which data, network and rows: paragraphs."""
    config, problem = results["config"], results["problem"]
    widths = "-".join(map(str, problem["widths"]))
    kind = "A ReLU network" if len(problem["widths"]) > 2 else "Logistic regression"
    asked = (
        "What do low-precision weights and gradients cost in error and calibration, and how "
        "much of it does the variance correction win back?"
    )
    if config["accelerators"]:
        chips = _listed([chip["name"] for chip in results["accelerators"]])
        how = f"({config['simulation']} simulation)"
        asked += f" And what do the matrix products of {chips} change {how}?"
    trained = (
        f"{kind} ({widths}, {problem['weights']:,} weights) learns "
        f"{DATA[problem['data']]}: {problem['training']:,} training and {problem['test']:,} test "
        f"images. Each of {len(results['rows'])} rows trains {config['chains']} chain(s) of "
        f"{config['steps']:,} steps with batches of {config['batch_size']}, and averages the "
        f"predictions of {results['rows'][0]['samples']} samples of each chain. Chains of equal "
        "number have the same first weights and the same batches in every row."
    )
    return [asked, trained]


def highlights(rows: list[dict[str, Any]]) -> list[tuple[str, str, str]]:
    """The lowest value of each score, and whose it is."""
    found = []
    for score, name, factor, digits, unit in (
        ("error", "Lowest error", 100, 2, " %"),
        ("nll", "Lowest NLL", 1, 3, ""),
        ("ece", "Lowest ECE", 100, 2, " %"),
    ):
        best = min(rows, key=lambda row: row["mean"][score])
        value = spread(best, score, factor, digits) + unit
        found.append((name, value, f"{best['sampler']} {best['format']}"))
    return found


def settings(config: dict[str, Any]) -> list[tuple[str, str]]:
    """Every option and its value, beside the default where that is another."""
    found = []
    for field in dataclasses.fields(Config):
        name, value = field.name, config[field.name]
        text, usual = option_text(name, value), option_text(name, _plain(field.default))
        found.append((name, text if text == usual else f"{text} (default: {usual})"))
    return found


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def option_text(name: str, value: Any) -> str:
    """The value of an option for people."""
    if value is None:
        return "-"
    if not isinstance(value, list):
        return str(value)
    separator = ", " if name == "rows" else " "
    return separator.join(map(str, value)) or ("all" if name == "rows" else "none")


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
