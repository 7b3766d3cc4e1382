"""The calls of microxcaling (the package ``mx``): write
``from numformats.torch.interop import microxcaling as mx``.

All that ``mx`` itself exports is here. Modules have the names that they have there, but that
``mx.convolution`` and the like are ``convolutions``, ``products`` and ``layers``.
"""

from numformats.torch.interop.microxcaling import elemwise_ops, mx_mapping, mx_ops, specs
from numformats.torch.interop.microxcaling.activation_layers import (
    GELU,
    LeakyReLU,
    ReLU,
    ReLU6,
    Sigmoid,
    SiLU,
    Tanh,
)
from numformats.torch.interop.microxcaling.activations import (
    gelu,
    leaky_relu,
    relu,
    relu6,
    sigmoid,
    silu,
    tanh,
)
from numformats.torch.interop.microxcaling.adaptive_avg_pooling import (
    AdaptiveAvgPool2d,
    adaptive_avg_pool2d,
)
from numformats.torch.interop.microxcaling.batchnorm import (
    BatchNorm1d,
    BatchNorm2d,
    BatchNorm3d,
    batch_norm,
)
from numformats.torch.interop.microxcaling.convolutions import conv1d, conv2d, conv3d
from numformats.torch.interop.microxcaling.elemwise_ops import quantize_bfloat
from numformats.torch.interop.microxcaling.groupnorm import GroupNorm, group_norm
from numformats.torch.interop.microxcaling.layernorm import LayerNorm, RMSNorm, layer_norm
from numformats.torch.interop.microxcaling.layers import (
    Conv1d,
    Conv2d,
    Conv3d,
    ConvTranspose2d,
    Linear,
)
from numformats.torch.interop.microxcaling.products import bmm, linear, matmul
from numformats.torch.interop.microxcaling.simd_ops import (
    simd_add,
    simd_div,
    simd_exp,
    simd_log,
    simd_mul,
    simd_norm,
    simd_reduce_mean,
    simd_reduce_sum,
    simd_split,
    simd_sqrt,
    simd_square,
    simd_sub,
)
from numformats.torch.interop.microxcaling.softmax import Softmax, softmax
from numformats.torch.interop.microxcaling.specs import (
    MxSpecs,
    add_mx_args,
    finalize_mx_specs,
    get_backwards_mx_specs,
    get_mx_specs,
)

__all__ = [
    "GELU", "AdaptiveAvgPool2d", "BatchNorm1d", "BatchNorm2d", "BatchNorm3d", "Conv1d", "Conv2d",
    "Conv3d", "ConvTranspose2d", "GroupNorm", "LayerNorm", "LeakyReLU", "Linear", "MxSpecs",
    "RMSNorm", "ReLU", "ReLU6", "SiLU", "Sigmoid", "Softmax", "Tanh", "adaptive_avg_pool2d",
    "add_mx_args", "batch_norm", "bmm", "conv1d", "conv2d", "conv3d", "elemwise_ops",
    "finalize_mx_specs", "gelu", "get_backwards_mx_specs", "get_mx_specs", "group_norm",
    "layer_norm", "leaky_relu", "linear", "matmul", "mx_mapping", "mx_ops", "quantize_bfloat",
    "relu", "relu6", "sigmoid", "silu", "simd_add", "simd_div", "simd_exp", "simd_log", "simd_mul",
    "simd_norm", "simd_reduce_mean", "simd_reduce_sum", "simd_split", "simd_sqrt", "simd_square",
    "simd_sub", "softmax", "specs", "tanh",
]  # fmt: skip
