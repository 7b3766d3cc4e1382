"""Analog Devices (Maxim) MAX78000 and MAX78002: power-of-two scales.

Sources: ai8x-training, ai8x-synthesis.
"""

from numformats.accelerators.accelerator import Accelerator
from numformats.engines import IntegerDot, ShiftRequantize


def _max78000(bits: int) -> Accelerator:
    name = "max78000" if bits == 8 else f"max78000-w{bits}"
    return Accelerator(
        name,
        f"MAX78000, MAX78002: Q7 data, {bits}-bit weights",
        weights=f"fixed<{bits},{bits - 1}>",
        activations="fixed<8,7>",
        engine=IntegerDot(8, bits),
        requantize=ShiftRequantize(bits - 1, rounding="half_up"),
        confidence="documented",
        sources=("Analog Devices ai8x-training and ai8x-synthesis (MAX78000, MAX78002)",),
        notes="Sums have full resolution; results are floor(x + 1/2) in Q7, saturated. The "
        "output_shift of a layer adds to the shift: replace requantize. 1-bit weights, and the "
        "32-bit output of a last layer, are left out. Rounding of stored weights is software.",
    )


PRESETS = (_max78000(8), _max78000(4), _max78000(2))
