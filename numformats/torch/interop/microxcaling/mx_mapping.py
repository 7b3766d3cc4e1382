"""Whole programs under a specification: the call of ``mx.mx_mapping``."""

from __future__ import annotations

from numformats.accelerators import Accelerator
from numformats.engines import MACChain
from numformats.formats import BlockFloat
from numformats.torch.interop.microxcaling.elements import block_of, rounding_of
from numformats.torch.interop.microxcaling.elemwise_ops import elementwise_format
from numformats.torch.interop.microxcaling.specs import ROUNDS, Specs, apply_mx_specs
from numformats.torch.simulation import Simulation, simulate


def accelerator_of(mx_specs: Specs) -> Accelerator:
    """The accelerator that stores operands as ``mx_specs`` says and sums in float32.

    Raises:
        ValueError: specifications that no accelerator has: backward formats that differ from the
            forward ones or are left out, several roundings, flushed subnormals, options of vector
            operations.

    Example:
        >>> from numformats.torch.interop.microxcaling import finalize_mx_specs
        >>> specs = finalize_mx_specs({"a_elem_format": "fp4", "block_size": 32})
        >>> str(accelerator_of(specs).activations)
        'mxfp4'
    """
    specs = apply_mx_specs(mx_specs)
    _check(specs)
    return Accelerator(
        "microxcaling",
        "formats of microxcaling",
        engine=MACChain("fp32", "fp32", accumulator="fp32"),
        weights=_stored(specs, "w_elem_format"),
        activations=_stored(specs, "a_elem_format"),
        errors=_stored(specs, "a_elem_format"),
        gradients=elementwise_format(specs),
        rounding=rounding_of(specs["round"]),
    )


def _stored(specs: Specs, key: str) -> BlockFloat | None:
    if specs[key] is None:
        return None
    return block_of(
        specs[key], specs["block_size"], -1, specs["scale_bits"], specs["shared_exp_method"]
    )


def _check(specs: Specs) -> None:
    remedy = "use linear, matmul and Linear with these specs, or finalize_mx_specs"
    for key in ("w_elem_format_bp", "a_elem_format_bp_ex", "a_elem_format_bp_os"):
        base = key.partition("_bp")[0]
        if specs[key] != specs[base]:
            raise ValueError(f"{key}={specs[key]!r}, {base}={specs[base]!r} differ; {remedy}")
    found = sorted({specs[key] for key in ROUNDS if key != "round_m"})
    if len(found) > 1:
        raise ValueError(f"several roundings {found}; {remedy}")
    for key, value in (
        ("quantize_backprop", True), ("bfloat_subnorms", True), ("mx_flush_fp32_subnorms", False),
        ("softmax_exp2", False), ("vec_use_exp2", False), ("vec_use_recip", False),
    ):  # fmt: skip
        if specs[key] != value:
            raise ValueError(f"{key}={specs[key]!r}; write {value}, or {remedy}")


def inject_pyt_ops(mx_specs: Specs) -> Simulation:
    """Compute with ``mx_specs`` in this thread from now on: products on rounded operands,
    element-wise results rounded, forward and backward.

    Nothing of torch is replaced: ``simulate(accelerator_of(mx_specs), mode="fast")`` is entered.
    Operations that are not rounded stand in its ``report()``.

    Args:
        mx_specs: the same in every direction; see ``accelerator_of``.

    Returns:
        The simulation; ``eject_pyt_ops`` ends it.

    Raises:
        ValueError: as ``accelerator_of``. RuntimeError: a simulation runs already.

    Example:
        >>> import torch
        >>> from numformats.torch.interop.microxcaling import finalize_mx_specs
        >>> specs = finalize_mx_specs({"a_elem_format": "fp4", "block_size": 32})
        >>> running = inject_pyt_ops(specs)
        >>> torch.tensor([[1.1, 4.0]]) @ torch.ones(2, 1)
        tensor([[5.]])
        >>> eject_pyt_ops(running)
    """
    fmt = elementwise_format(mx_specs)
    running = simulate(
        accelerator_of(mx_specs), mode="fast", elementwise=fmt,
        elementwise_rounding=rounding_of(apply_mx_specs(mx_specs)["round"]),
    )  # fmt: skip
    return running.__enter__()


def eject_pyt_ops(running: Simulation) -> None:
    """End what ``inject_pyt_ops`` began."""
    running.__exit__(None, None, None)
