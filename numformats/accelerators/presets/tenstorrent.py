"""Tenstorrent Wormhole. Source: Tenstorrent's tt-isa-documentation (a rough guide, as it says)."""

from numformats.accelerators.accelerator import Accelerator
from numformats.accelerators.presets.shared import stored
from numformats.engines import MACChain

_SOURCES = ("Tenstorrent tt-isa-documentation, Wormhole B0: Matrix Unit (FPU), packers, formats",)
_PHASES = (
    "Fidelity phases are left out: the unit multiplies 5 bits of A by 7 bits of B a phase, and "
    "fewer phases drop low bits; here products are whole, as with enough phases (BF16: 4, BFP8: "
    "2, BFP4: 1). Subnormals are flushed and NaN and Inf differ on the chip; order and fusion are "
    "not documented: a chain in FP32."
)
_CHAIN = MACChain("bf16", "bf16", accumulator="fp32")


def _bfp(name: str, weights: str, notes: str) -> Accelerator:
    return Accelerator(
        f"tenstorrent-wormhole-{name}",
        f"Tenstorrent Wormhole: {name.upper()} weights, BFP8 activations",
        weights=weights,
        activations="tt_bfp8",
        errors="tt_bfp8",
        rounding="nearest_away",
        engine=_CHAIN,
        sources=_SOURCES,
        notes=f"{notes}{_PHASES}",
    )


_CUT = "The packer rounds to BFP8, then cuts; here it is one rounding. "
PRESETS = (
    Accelerator(
        "tenstorrent-wormhole-bf16",
        "Tenstorrent Wormhole: BF16 operands, FP32 accumulation",
        **stored("bf16"),
        rounding="nearest_away",
        engine=_CHAIN,
        sources=_SOURCES,
        notes=_PHASES,
    ),
    _bfp("bfp8", "tt_bfp8", ""),
    _bfp("bfp4", "tt_bfp4", _CUT),
    _bfp("bfp2", "tt_bfp2", _CUT),
)
