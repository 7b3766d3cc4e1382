"""Speed of one SGLD step: the fused kernel beside the composition of public functions; then whole
steps of every sampler beside ``torch.optim.SGD``.

Run ``python -m benchmarks.langevin`` (part of ``make bench``). Both forms give the same bits; what
is compared alternates, and a ratio is the median over the rounds.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import torch

import numformats as nf
from samplers import PSGLD, SGDLP, SGHMC, SGLD, Precision, steps

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


CORRECTED = Precision("fixed<8,6>", "fixed<8,6>", "variance_corrected")
LOW = Precision("fixed<8,6>", "fixed<8,6>", "low")
OPTIMIZERS: dict[str, Callable[..., torch.optim.Optimizer]] = {
    "torch.optim.SGD": lambda p: torch.optim.SGD(p, 0.1),
    "SGDLP, fixed<8,6>, low": lambda p: SGDLP(p, 0.1, precision=LOW),
    "SGLD, float32": lambda p: SGLD(p, 0.1, num_data=10**5),
    "SGLD, fixed<8,6>, corrected": lambda p: SGLD(p, 0.1, num_data=10**5, precision=CORRECTED),
    "pSGLD, fixed<8,6>, corrected": lambda p: PSGLD(p, 0.1, num_data=10**5, precision=CORRECTED),
    "SGHMC, float32": lambda p: SGHMC(p, 0.1, num_data=10**5, friction=2.0),
    "SGHMC, fixed<8,6>, corrected": lambda p: SGHMC(
        p, 0.1, num_data=10**5, friction=2.0, precision=CORRECTED
    ),
}


def whole_steps(elements: int, rounds: int) -> None:
    """Print parameters a second of each optimizer's step, and its time over SGD's."""
    built = {}
    for name, build in OPTIMIZERS.items():
        weight = torch.nn.Parameter(torch.randn(elements) * 0.1)
        weight.grad = torch.randn(elements) * 0.01
        built[name] = build([weight])
        built[name].step()
    taken: dict[str, list[float]] = {name: [] for name in built}
    for _ in range(rounds):
        for name, optimizer in built.items():
            start = time.perf_counter()
            optimizer.step()
            taken[name].append(time.perf_counter() - start)
    print(f"{'whole step':32} {'M/s':>14} {'times of SGD':>13}")
    for name, times in taken.items():
        ratio = statistics.median(
            a / b for a, b in zip(times, taken["torch.optim.SGD"], strict=True)
        )
        print(f"{name:32} {elements / statistics.median(times) / 1e6:14.0f} {ratio:13.1f}")


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
    whole_steps(options.elements, options.rounds)


if __name__ == "__main__":
    main()
