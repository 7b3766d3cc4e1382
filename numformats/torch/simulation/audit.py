"""Matrix products that reach torch's kernels past the interception are counted, by name."""

from bisect import bisect_right
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode, _disable_current_modes

from numformats.torch.simulation.places import Places, Run
from numformats.torch.simulation.report import LEFT, Row

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
    _cdist_backward linalg_matrix_power linalg_matrix_exp
"""
PRODUCTS = frozenset(KERNELS.split())


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
        name = getattr(func, "overloadpacket", func).__name__
        if not self.run.depth and name in PRODUCTS:
            self.run.report.add(self._row(name))
        return func(*args, **(kwargs or {}))

    def _row(self, kernel: str) -> Row:
        node = torch._C._current_autograd_node()
        if node is None:
            path = self.places.current[0]
            return Row(f"aten.{kernel}", path, "forward", status=LEFT, reason="not intercepted")
        number = node._sequence_nr()
        at = bisect_right(self.starts, number) - 1
        if at >= 0 and number < self.ends[at][0]:
            return self.ends[at][1]
        return Row(f"aten.{kernel}", node.name(), "backward", status=LEFT, reason="not intercepted")

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
        self.run.depth += 1
        try:
            if torch._C._len_torch_dispatch_stack() == 1:
                with _disable_current_modes():
                    yield
            else:
                yield
        finally:
            self.run.depth -= 1
