"""Other libraries' quantizers that ``benchmarks.gpu`` measures beside the kernels."""

from collections.abc import Callable
from functools import partial

import torch

Call = Callable[[torch.Tensor], object]


def peers() -> tuple[dict[str, tuple[Call, int]], dict[str, str]]:
    """Those that can run here with the bytes that each moves for an element, and why the others
    cannot."""
    found: dict[str, tuple[Call, int]] = {
        "torch .to(float8_e4m3fn)": (lambda x: x.to(torch.float8_e4m3fn), 5),
        "torch .to(bfloat16)": (lambda x: x.to(torch.bfloat16), 6),
    }
    try:
        from qtorch.quant import fixed_point_quantize, float_quantize
    except Exception as error:  # it compiles itself when it is imported
        return found, {"qtorch": (str(error).splitlines() or [type(error).__name__])[0]}
    for how in ("nearest", "stochastic"):
        found[f"qtorch e4m3 {how}"] = (partial(float_quantize, exp=4, man=3, rounding=how), 8)
        found[f"qtorch fixed<8,4> {how}"] = (
            partial(fixed_point_quantize, wl=8, fl=4, rounding=how), 8,
        )  # fmt: skip
    return found, {}
