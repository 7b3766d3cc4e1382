"""The calls of microxcaling (the package ``mx``): write
``from numformats.torch.interop import microxcaling as mx``.

``mx_ops``, ``elemwise_ops``, ``specs`` and ``mx_mapping`` hold what the modules of these names
hold, of which the products and the specifications are here.
"""

from numformats.torch.interop.microxcaling import elemwise_ops, mx_mapping, mx_ops, specs
from numformats.torch.interop.microxcaling.convolutions import conv1d, conv2d, conv3d
from numformats.torch.interop.microxcaling.elemwise_ops import quantize_bfloat
from numformats.torch.interop.microxcaling.layers import (
    Conv1d,
    Conv2d,
    Conv3d,
    ConvTranspose2d,
    Linear,
)
from numformats.torch.interop.microxcaling.products import bmm, linear, matmul
from numformats.torch.interop.microxcaling.specs import (
    MxSpecs,
    add_mx_args,
    finalize_mx_specs,
    get_backwards_mx_specs,
    get_mx_specs,
)

__all__ = [
    "Conv1d", "Conv2d", "Conv3d", "ConvTranspose2d", "Linear", "MxSpecs", "add_mx_args", "bmm",
    "conv1d", "conv2d", "conv3d", "elemwise_ops", "finalize_mx_specs", "get_backwards_mx_specs",
    "get_mx_specs", "linear", "matmul", "mx_mapping", "mx_ops", "quantize_bfloat", "specs",
]  # fmt: skip
