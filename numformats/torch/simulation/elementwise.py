"""Results of element-wise operations, rounded to a format."""

from typing import Any

import torch

from numformats.formats import Format
from numformats.random import Key
from numformats.rounding import find
from numformats.torch.simulation.fitness import CARRIERS, one_pass, unlike
from numformats.torch.simulation.storing import rounded

Tensor = torch.Tensor
OPERATIONS = """
    add sub subtract rsub mul multiply div divide true_divide __truediv__ addcmul addcdiv
    lerp pow __pow__ square sqrt rsqrt reciprocal exp exp2 expm1 log log2 log10 log1p sin cos tan
    tanh sigmoid erf erfc outer ger kron cross linalg_cross
    acos acosh asin asinh atan atan2 arctan2 cosh sinh hypot fmod remainder __mod__ sinc logit xlogy
    logaddexp logaddexp2 erfinv lgamma digamma deg2rad rad2deg
    special_xlogy special_expit special_erf special_erfc special_erfinv special_logit special_expm1
    special_log1p special_exp2 special_sinc special_xlog1py special_entr
    float_power ldexp diff frac
    special_gammaln igamma igammac special_gammainc special_gammaincc polygamma special_polygamma
    mvlgamma special_multigammaln special_digamma special_psi special_zeta special_erfcx i0
    special_i0 special_i0e special_i1 special_i1e special_ndtr special_ndtri special_log_ndtr
    special_bessel_j0 special_bessel_j1 special_bessel_y0 special_bessel_y1
    relu relu6 leaky_relu prelu rrelu elu celu selu gelu silu mish softplus softsign hardtanh
    hardsigmoid hardswish log_sigmoid threshold softshrink glu softmax log_softmax _safe_softmax
    special_softmax special_log_softmax
    renorm layer_norm group_norm batch_norm instance_norm rms_norm
    dropout feature_dropout alpha_dropout feature_alpha_dropout
    avg_pool1d avg_pool2d avg_pool3d adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d
"""
NAMES = frozenset(OPERATIONS.split())
SUMS = """
    sum mean var std var_mean std_mean nansum nanmean norm linalg_norm linalg_vector_norm cumsum
    cumprod prod logsumexp special_logsumexp logcumsumexp dist cosine_similarity pairwise_distance
    pdist cdist
    trapezoid cumulative_trapezoid scatter_add scatter_reduce index_add index_reduce segment_reduce
    bincount index_put put
    cross_entropy_loss nll_loss nll_loss_nd mse_loss l1_loss smooth_l1_loss huber_loss kl_div
    hinge_embedding_loss cosine_embedding_loss margin_ranking_loss soft_margin_loss ctc_loss
    multi_margin_loss multilabel_margin_loss triplet_margin_loss quantile nanquantile trapz
    gradient cov corrcoef col2im
    binary_cross_entropy binary_cross_entropy_with_logits poisson_nll_loss gaussian_nll_loss
    interpolate upsample_linear1d upsample_bilinear2d upsample_trilinear3d upsample_bicubic2d
    grid_sampler
"""
REDUCTIONS = frozenset(SUMS.split())  # not rounded, but counted


class Rounded(torch.autograd.Function):
    """A result rounded to a format, and the gradient that comes back to it, too."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, fmt: Format, rounding: str, key: Key | None) -> Tensor:
        """The result as it is kept."""
        ctx.how = fmt, rounding, key and key.fold(1)
        return rounded(x, fmt, rounding, key)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None, None]:
        """The error as it is kept."""
        one_pass("elementwise", grad)
        return Rounded.apply(grad, *ctx.how), None, None, None


def obstacle(x: Any) -> str | None:
    """Why a result is not rounded; empty where it is, None where nobody would expect it."""
    if not isinstance(x, Tensor) or not (x.is_floating_point() or x.is_complex()):
        return None
    return unlike(x) or ("" if x.dtype in CARRIERS else f"dtype {str(x.dtype)[6:]}")


def draws(rounding: str) -> bool:
    """Whether a rounding mode draws."""
    return find(rounding).stochastic
