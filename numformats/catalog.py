"""Named formats. Adding one is one line here; tests, tables and listings iterate over it.

Sources: IEEE 754-2019; OCP 8-bit Floating Point 1.0; OCP Microscaling (MX) 1.0; ml_dtypes; NVIDIA
NVFP4; Tenstorrent and AMD XDNA2 block formats; IBM DLFloat16 (Agrawal et al. 2019); Tesla Dojo
CFloat8; Microsoft MSFP; Flexpoint (Koester et al. 2017).
"""

from numformats.dtypes import NAMES
from numformats.formats import BlockFloat, FixedPoint, Float, Format

CATALOG: dict[str, Format] = {
    "fp64": Float(11, 52, overflow="infinity"),
    "fp32": Float(8, 23, overflow="infinity"),
    "tf32": Float(8, 10, overflow="infinity"),
    "bf16": Float(8, 7, overflow="infinity"),
    "fp16": Float(5, 10, overflow="infinity"),
    "dlfloat16": Float(6, 9, bias=31, subnormals=False, specials="fn"),
    "e5m2": Float(5, 2),
    "e4m3": Float(4, 3, specials="fn"),
    "e4m3_ieee": Float(4, 3),
    "e3m4": Float(3, 4),
    "e5m2fnuz": Float(5, 2, specials="fnuz"),
    "e4m3fnuz": Float(4, 3, specials="fnuz"),
    "e4m3b11fnuz": Float(4, 3, bias=11, specials="fnuz"),
    "cfloat8_e4m3": Float(4, 3, specials="finite"),  # Dojo; bias is configurable
    "cfloat8_e5m2": Float(5, 2, specials="finite"),
    "e3m2": Float(3, 2, specials="finite"),
    "e2m3": Float(2, 3, specials="finite"),
    "e2m1": Float(2, 1, specials="finite"),
    "e8m0": Float(8, 0, bias=127, signed=False, subnormals=False, zero=False, specials="fn"),
}
_E4M3, _E5M2 = Float(4, 3, specials="fn"), Float(5, 2)
_E2M1 = Float(2, 1, specials="finite")
_E5M0 = Float(5, 0, bias=16, signed=False, subnormals=False, zero=False, specials="finite")
CATALOG |= {
    "mxfp8_e5m2": BlockFloat(_E5M2, 32),
    "mxfp8_e4m3": BlockFloat(_E4M3, 32),
    "mxfp6_e3m2": BlockFloat(Float(3, 2, specials="finite"), 32),
    "mxfp6_e2m3": BlockFloat(Float(2, 3, specials="finite"), 32),
    "mxfp4": BlockFloat(_E2M1, 32),
    "mxint8": BlockFloat(FixedPoint(8, 6, symmetric=True), 32),
    "nvfp4": BlockFloat(_E2M1, 16, scale=_E4M3, scale_rule="even", tensor_scale=True),
    "msfp12": BlockFloat(FixedPoint(4, 2, symmetric=True), 16),  # layout as published, not verified
    "msfp16": BlockFloat(FixedPoint(8, 6, symmetric=True), 16),  # layout as published, not verified
    "tt_bfp2": BlockFloat(FixedPoint(2, 0, symmetric=True), 16),  # Tenstorrent
    "bfp16ebs8": BlockFloat(FixedPoint(8, 6), 8),
    "flexpoint16": BlockFloat(FixedPoint(16, 14), None, axis=None, scale=_E5M0),
}
ALIASES: dict[str, str] = NAMES | {
    "e4m3fn": "e4m3",
    "f143": "e4m3fnuz",  # Graphcore IPU
    "f152": "e5m2fnuz",
    "half": "fp16",
    "mxfp4_e2m1": "mxfp4",
    "tt_bfp8": "msfp16",  # Tenstorrent: same value set
    "tt_bfp4": "msfp12",
}


def formats() -> dict[str, Format]:
    """All named formats by their (lower-case) names; a copy."""
    return dict(CATALOG)
