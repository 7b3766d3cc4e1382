"""Matrix products that reach torch's kernels past the interception are counted, by name."""

from bisect import bisect_right
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode, _disable_current_modes

from numformats.torch.simulation.places import Places
from numformats.torch.simulation.report import LEFT, Row
from numformats.torch.simulation.run import Run

KERNELS = """
    embedding _embedding_bag mm bmm addmm baddbmm addbmm mv addmv addr dot vdot linear matmul einsum
    bilinear _trilinear
    convolution _convolution convolution_backward convolution_overrideable
    convolution_backward_overrideable conv1d conv2d conv3d conv_tbc conv_tbc_backward
    mkldnn_convolution mkldnn_linear mkldnn_rnn_layer mkldnn_rnn_layer_backward
    _cudnn_rnn _cudnn_rnn_backward lstm gru rnn_tanh rnn_relu _thnn_fused_lstm_cell
    _scaled_dot_product_attention_math _scaled_dot_product_flash_attention
    _scaled_dot_product_flash_attention_backward _scaled_dot_product_flash_attention_for_cpu
    _scaled_dot_product_flash_attention_for_cpu_backward _scaled_dot_product_efficient_attention
    _scaled_dot_product_efficient_attention_backward _scaled_dot_product_cudnn_attention
    _scaled_dot_product_cudnn_attention_backward _scaled_dot_product_fused_attention_overrideable
    _native_multi_head_attention _transformer_encoder_layer_fwd _addmm_activation _grouped_mm
    _scaled_mm _scaled_grouped_mm _int_mm _weight_int8pack_mm _weight_int4pack_mm _sparse_addmm
    _sparse_mm _sparse_sparse_matmul sparse_sampled_addmm _euclidean_dist _cdist_forward
    _cdist_backward linalg_matrix_power linalg_matrix_exp hspmm sspaddmm
    linalg_inv_ex _linalg_solve_ex linalg_solve_triangular triangular_solve linalg_lstsq
    linalg_lu_factor_ex linalg_lu_solve linalg_ldl_factor_ex linalg_ldl_solve linalg_cholesky_ex
    cholesky cholesky_solve cholesky_inverse linalg_qr ormqr linalg_householder_product
    _linalg_svd _linalg_eigh linalg_eig _fft_r2c _fft_c2r _fft_c2c
"""
PRODUCTS = frozenset(name + end for name in KERNELS.split() for end in ("", "_"))
# where operators do not multiply matrices unless their name is in the list
KNOWN = (
    "aten", "prim", "prims", "debugprims", "rngprims", "profiler", "streams", "inductor",
    "c10d", "c10d_functional", "_c10d_functional", "_c10d_functional_autograd", "_dtensor", "fsdp",
    "symm_mem", "numformats",
)  # fmt: skip


@cache
def unseen(func: Any) -> tuple[str, str]:
    """A kernel's name, and why it counts as full precision; no reason where nothing multiplies."""
    space, name = func.namespace, getattr(func, "overloadpacket", func).__name__
    if space not in KNOWN:
        return f"{space}.{name}", "an operator of another library, which may multiply"
    counts = space == "aten" and name in PRODUCTS
    return f"{space}.{name}", "not intercepted" if counts else ""


class Audit(TorchDispatchMode):
    """Counts products that torch's kernels compute in full precision."""

    def __init__(self, run: Run, places: Places) -> None:
        super().__init__()
        self.run, self.places = run, places
        self.starts: list[int] = []  # autograd's numbers of what ran as torch's own, and how
        self.ends: list[tuple[int, Row]] = []

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """torch would wrap every call, and import its compiler for that."""
        return False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Called for every kernel."""
        if not self.run.depth:
            name, reason = unseen(func)
            if reason:
                self.run.report.add(self._row(name, reason))
        return func(*args, **(kwargs or {}))

    def _row(self, kernel: str, reason: str) -> Row:
        node = torch._C._current_autograd_node()
        if node is None:
            path = self.places.current[0]
            return Row(kernel, path, "forward", status=LEFT, reason=reason)
        number = node._sequence_nr()
        at = bisect_right(self.starts, number) - 1
        if at >= 0 and number < self.ends[at][0]:
            return self.ends[at][1]
        return Row(kernel, node.name(), "backward", status=LEFT, reason=reason)

    def native(self, call: Callable[[], Any], row: Row) -> Any:
        """Let torch compute a call itself, and count it; its backward will count as it, too."""
        self.run.report.add(row)
        start = torch._C._autograd._get_sequence_nr()
        with self._quiet():
            result = call()
        end = torch._C._autograd._get_sequence_nr()
        if end > start:
            self.starts.append(start)
            self.ends.append((end, row._replace(direction="backward")))
        return result

    @contextmanager
    def _quiet(self) -> Iterator[None]:
        """Without this mode, so that torch takes the kernels that it takes without us."""
        self.run.deepen(1)
        try:
            if torch._C._len_torch_dispatch_stack() == 1:
                with _disable_current_modes():
                    yield
            else:
                yield
        finally:
            self.run.deepen(-1)
