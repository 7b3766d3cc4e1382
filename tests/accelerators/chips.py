"""What the tests hold the registry against: chips that must be there, and how sure each may be.

The table is written down by hand from the literature, not read from the presets.
"""

from __future__ import annotations

import numformats as nf

ALL = nf.accelerators()
NAMES = list(ALL)

#: every preset that must exist
_CHIPS = """
nvidia-v100-fp16 nvidia-t4-fp16 nvidia-a100-fp16 nvidia-a100-bf16 nvidia-a100-tf32
nvidia-ada-fp16 nvidia-ada-bf16 nvidia-ada-tf32 nvidia-ada-fp8 nvidia-h100-fp16 nvidia-h100-bf16
nvidia-h100-tf32 nvidia-h100-fp8 nvidia-h100-fp8-mma nvidia-h100-deepseek nvidia-h100-fp64
nvidia-b200-fp16 nvidia-b200-bf16 nvidia-b200-tf32 nvidia-b200-fp8 nvidia-b200-fp8-mma
nvidia-b200-fp6-e3m2 nvidia-b200-fp6-e2m3 nvidia-b200-fp4 nvidia-b200-mxfp8
nvidia-b200-mxfp6-e3m2 nvidia-b200-mxfp6-e2m3 nvidia-b200-mxfp4 nvidia-b200-nvfp4
nvidia-rtx-blackwell-fp16 nvidia-rtx-blackwell-bf16 nvidia-rtx-blackwell-tf32
nvidia-rtx-blackwell-fp8 nvidia-rtx-blackwell-fp6-e3m2 nvidia-rtx-blackwell-fp6-e2m3
nvidia-rtx-blackwell-fp4 nvidia-rtx-blackwell-mxfp8 nvidia-rtx-blackwell-mxfp4
nvidia-rtx-blackwell-nvfp4 amd-mi100-fp32 amd-mi100-fp16 amd-mi100-bf16 amd-mi250-fp64
amd-mi250-fp16 amd-mi250-bf16 amd-mi250-bf16-p2 amd-mi300-fp64 amd-mi300-tf32 amd-mi300-fp16
amd-mi300-bf16 amd-mi300-fp8 amd-xdna2-bfp16 google-tpu-bf16 google-tpu-int8 intel-amx-bf16
intel-amx-int8 intel-avx512-bf16 intel-gaudi2-fp8 intel-gaudi3-fp8 intel-flexpoint16 arm-bfdot
arm-ebf16 arm-cmsis-nn-int8 arm-cmsis-nn-int8-single arm-ethos-u-int8 arm-ethos-u-int8-natural
arm-ethos-u-int8-truncate aws-trainium1-bf16 aws-trainium1-fp8-e4m3 aws-trainium1-fp8-e3m4
aws-trainium2-bf16 aws-trainium2-fp8 aws-trainium3-bf16 aws-trainium3-fp8 aws-trainium3-mxfp8
aws-trainium3-mxfp4 aws-trainium3-bf16-psum graphcore-ipu-fp16 graphcore-ipu-fp8 cerebras-cb16
cerebras-fp16 tesla-dojo-cfloat8 tesla-dojo-cfloat16 ibm-dlfloat16-chunked ibm-hfp8
tenstorrent-wormhole-bf16 tenstorrent-wormhole-bf16-hifi2 tenstorrent-wormhole-bf16-hifi3
tenstorrent-wormhole-bf16-lofi tenstorrent-wormhole-bfp8-lofi
tenstorrent-wormhole-bfp8 tenstorrent-wormhole-bfp4
tenstorrent-wormhole-bfp2 microsoft-msfp12 microsoft-msfp16 max78000 max78000-w4 max78000-w2
fpga-ap-fixed-16-6 fpga-dsp48-int8 fpga-dsp48-int16
"""
CHIPS = _CHIPS.split()

LEVELS = ("approximate", "documented", "model", "silicon")  # rising
#: beginnings of names and the highest confidence; the longest that fits counts
HIGHEST = {
    "nvidia-v100-fp16": "silicon",
    "nvidia-t4": "model",
    "nvidia-a100-fp16": "silicon",
    "nvidia-a100-bf16": "silicon",
    "nvidia-a100-tf32": "silicon",
    "nvidia-ada": "silicon",
    "nvidia-h100-fp16": "silicon",
    "nvidia-h100-bf16": "silicon",
    "nvidia-h100-tf32": "silicon",
    "nvidia-h100-fp8": "silicon",
    "nvidia-h100-deepseek": "documented",
    "nvidia-h100-fp64": "model",
    "nvidia-b200": "model",
    "nvidia-b200-fp16": "silicon",
    "nvidia-b200-bf16": "silicon",
    "nvidia-b200-tf32": "silicon",
    "nvidia-b200-fp8-mma": "silicon",
    "nvidia-rtx-blackwell": "model",
    "amd-mi": "model",
    "amd-xdna": "approximate",
    "google": "approximate",
    "intel-avx512": "documented",
    "intel": "approximate",
    "arm-bfdot": "documented",
    "arm-ebf16": "documented",
    "arm-cmsis-nn": "documented",
    "arm-ethos-u": "documented",
    "aws": "approximate",
    "aws-trainium3-bf16-psum": "documented",
    "graphcore": "approximate",
    "cerebras": "approximate",
    "tesla": "approximate",
    "ibm": "approximate",
    "tenstorrent": "approximate",
    "microsoft": "approximate",
    "max78000": "documented",
    "fpga": "documented",
}
#: what selects the same unit with nf.engine, for presets that claim recorded silicon
SILICON_UNITS = {
    "nvidia-v100-fp16": {"inputs": "fp16"},
    "nvidia-a100-fp16": {"inputs": "fp16"},
    "nvidia-a100-bf16": {"inputs": "bf16"},
    "nvidia-a100-tf32": {"inputs": "tf32"},
    "nvidia-ada-fp16": {"inputs": "fp16"},
    "nvidia-ada-bf16": {"inputs": "bf16"},
    "nvidia-ada-tf32": {"inputs": "tf32"},
    "nvidia-ada-fp8": {"inputs": "e4m3", "path": "mma"},
    "nvidia-h100-fp16": {"inputs": "fp16", "path": "wgmma"},
    "nvidia-h100-bf16": {"inputs": "bf16", "path": "wgmma"},
    "nvidia-h100-tf32": {"inputs": "tf32", "path": "wgmma"},
    "nvidia-h100-fp8": {"inputs": "e4m3", "path": "wgmma"},
    "nvidia-h100-fp8-mma": {"inputs": "e4m3", "path": "mma", "output": "fp16"},
    "nvidia-b200-fp16": {"inputs": "fp16", "path": "tcgen05"},
    "nvidia-b200-bf16": {"inputs": "bf16", "path": "tcgen05"},
    "nvidia-b200-tf32": {"inputs": "tf32", "path": "tcgen05"},
    "nvidia-b200-fp8-mma": {"inputs": "e4m3", "path": "mma"},
    "nvidia-v100-fp16-fp16": {"inputs": "fp16", "output": "fp16"},
    "nvidia-a100-fp16-fp16": {"inputs": "fp16", "output": "fp16"},
    "nvidia-ada-fp16-fp16": {"inputs": "fp16", "output": "fp16"},
    "nvidia-h100-fp16-fp16": {"inputs": "fp16", "output": "fp16", "path": "wgmma"},
    "nvidia-b200-fp16-fp16": {"inputs": "fp16", "output": "fp16", "path": "tcgen05"},
}


def highest(name: str) -> str:
    """The highest confidence that a preset may claim."""
    fits = [start for start in HIGHEST if name == start or name.startswith(start)]
    return HIGHEST[max(fits, key=len)] if fits else "approximate"
