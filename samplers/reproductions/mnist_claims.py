"""What the papers say of MNIST in few bits, judged by the mean NLL over the chains."""

from __future__ import annotations

from typing import Any

from samplers.reproductions.study import Claim

Summary = dict[str, Any]
Scores = dict[tuple[str, str], float]
TOLERANCE = 0.005  # NLL; differences below it are called equal


def claims(found: dict[str, list[Summary]]) -> list[Claim]:
    """Judge each model's summaries."""
    return [claim for model, summaries in found.items() for claim in _of(model, summaries)]


def _of(model: str, summaries: list[Summary]) -> list[Claim]:
    nll = {(s["sampler"], s["format"]): float(s["mean"]["nll"]) for s in summaries}
    formats = list(dict.fromkeys(s["format"] for s in summaries))[1:]
    samplers = ("SGLD", "SGHMC")
    found = [_near_float32(model, s, formats, nll) for s in samplers]
    found += [_corrected_beats_naive(model, s, formats, nll) for s in samplers]
    return [*found, _robust(model, formats[0], nll), _beats_control(model, formats, nll)]


def _near_float32(model: str, sampler: str, formats: list[str], nll: Scores) -> Claim:
    float32 = nll[sampler, "float32"]
    gaps = {fmt: nll[f"{sampler} F", fmt] - float32 for fmt in formats}
    worst = max(gaps, key=lambda fmt: gaps[fmt])
    text = f"{model}: {sampler} F is within 10 % of float32's NLL at every width"
    why = f"float32 {float32:.3f}, farthest {float32 + gaps[worst]:.3f} in {worst}"
    return Claim(text, gaps[worst] < 0.1 * float32, why)


def _corrected_beats_naive(model: str, sampler: str, formats: list[str], nll: Scores) -> Claim:
    gains = {fmt: nll[f"{sampler} L", fmt] - nll[f"{sampler} VC", fmt] for fmt in formats}
    held = min(gains.values()) > -TOLERANCE and max(gains.values()) > TOLERANCE
    text = f"{model}: VC {sampler} L has a lower NLL than naive L, or as low, at every width"
    return Claim(text, held, ", ".join(f"{gains[fmt]:+.3f} in {fmt}" for fmt in formats))


def _robust(model: str, fmt: str, nll: Scores) -> Claim:
    lost = {s: nll[f"{s} L", fmt] - nll[s, "float32"] for s in ("SGLD", "SGHMC")}
    text = f"{model}: naive L costs SGHMC less than SGLD at the fewest bits"
    why = f"NLL over float32's {lost['SGHMC']:+.3f} and {lost['SGLD']:+.3f} in {fmt}"
    return Claim(text, lost["SGHMC"] < lost["SGLD"] - TOLERANCE, why)


def _beats_control(model: str, formats: list[str], nll: Scores) -> Claim:
    gains = {fmt: nll["SGD L", fmt] - nll["SGLD VC", fmt] for fmt in formats}
    text = f"{model}: VC SGLD L has a lower NLL than averaged SGD L at every width"
    why = ", ".join(f"{gains[fmt]:+.3f} in {fmt}" for fmt in formats)
    return Claim(text, min(gains.values()) > TOLERANCE, why)
