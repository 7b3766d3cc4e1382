"""Tenstorrent Wormhole. Source: Tenstorrent's tt-isa-documentation (a rough guide, as it says)."""

from numformats.accelerators.accelerator import Accelerator
from numformats.accelerators.presets.shared import stored
from numformats.engines import PhasedChain

_SOURCES = ("Tenstorrent tt-isa-documentation, Wormhole B0: Matrix Unit (FPU), packers, formats",)
_UNKNOWN = (
    "Which names mean which phases (LoFi 0, HiFi2 0-1, HiFi3 0-2, HiFi4 all) is not verified, and "
    "software orders them: here all phases of 16 products, then the next 16. The chip may order "
    "and fuse in other ways than its documented model; NaN and Inf differ."
)
_CUT = "The packer rounds to BFP8, then cuts; here it is one rounding. "
FIDELITIES = {"": 4, "-hifi3": 3, "-hifi2": 2, "-lofi": 1}


def _bf16(fidelity: str) -> Accelerator:
    return Accelerator(
        f"tenstorrent-wormhole-bf16{fidelity}",
        f"Tenstorrent Wormhole: BF16 operands, FP32 accumulation, {_phases(FIDELITIES[fidelity])}",
        **stored("bf16"),
        rounding="nearest_away",
        engine=PhasedChain("bf16", "bf16", phases=FIDELITIES[fidelity]),
        sources=_SOURCES,
        notes=_UNKNOWN,
    )


def _bfp(name: str, weights: str, phases: int, notes: str) -> Accelerator:
    return Accelerator(
        f"tenstorrent-wormhole-{name}",
        f"Tenstorrent Wormhole: {name[:4].upper()} weights, BFP8 activations, {_phases(phases)}",
        weights=weights,
        activations="tt_bfp8",
        errors="tt_bfp8",
        rounding="nearest_away",
        engine=PhasedChain("bf16", "bf16", phases=phases),
        sources=_SOURCES,
        notes=f"{notes}{_UNKNOWN}",
    )


def _phases(count: int) -> str:
    return f"{count} fidelity phase{'s' * (count > 1)}"


PRESETS = (
    *map(_bf16, FIDELITIES),
    _bfp("bfp8", "tt_bfp8", 2, "Two phases use all bits. "),
    _bfp("bfp8-lofi", "tt_bfp8", 1, "Two low bits of weights are ignored. "),
    _bfp("bfp4", "tt_bfp4", 1, f"One phase uses all bits. {_CUT}"),
    _bfp("bfp2", "tt_bfp2", 1, f"One phase uses all bits. {_CUT}"),
)
