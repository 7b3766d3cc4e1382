"""Speed of one SGLD step: the fused kernel beside the composition of public functions.

Run ``python -m benchmarks.langevin`` (part of ``make bench``). Both forms give the same bits; they
alternate, and the ratio is the median over the rounds.
"""

import argparse
import statistics
import time

import torch

import numformats as nf
from samplers import Precision, steps

CASES: dict[str, Precision] = {
    "float32": Precision(),
    "fixed<8,6>, full": Precision("fixed<8,6>", "fixed<8,6>", "full"),
    "fixed<8,6>, low": Precision("fixed<8,6>", "fixed<8,6>", "low"),
    "fixed<8,6>, variance_corrected": Precision("fixed<8,6>", "fixed<8,6>", "variance_corrected"),
    "e4m3, variance_corrected": Precision("e4m3", "e4m3", "variance_corrected"),
}


def seconds(theta: torch.Tensor, grad: torch.Tensor, precision: Precision, fused: bool) -> float:
    """Wall time of one step in the given form."""
    chosen, steps.fusible = steps.fusible, lambda theta, precision: fused
    options = {"lr": 0.1, "weight_decay": 1e-4, "variance": 2e-4, "key": nf.Key(1)}
    start = time.perf_counter()
    steps.step(theta, grad, precision=precision, **options)
    taken = time.perf_counter() - start
    steps.fusible = chosen
    return taken


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--elements", type=int, default=1 << 22)
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    torch.manual_seed(0)
    theta, grad = torch.randn(options.elements) * 0.1, torch.randn(options.elements) * 0.01
    print(f"one step of {options.elements} float32 weights, {torch.get_num_threads()} threads")
    print(f"{'precision':32} {'composed, M/s':>14} {'fused, M/s':>11} {'ratio':>6}")
    for name, precision in CASES.items():
        for fused in (False, True):
            seconds(theta, grad, precision, fused)
        pairs = [
            tuple(seconds(theta, grad, precision, fused) for fused in (False, True))
            for _ in range(options.rounds)
        ]
        slow, fast = (statistics.median(column) for column in zip(*pairs, strict=True))
        ratio = statistics.median(a / b for a, b in pairs)
        rates = (options.elements / slow / 1e6, options.elements / fast / 1e6)
        print(f"{name:32} {rates[0]:14.0f} {rates[1]:11.0f} {ratio:6.1f}")


if __name__ == "__main__":
    main()
