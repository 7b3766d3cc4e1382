"""Speed of whole tensors' steps: SGLD and SGHMC in every accumulator, beside the papers' updates in
eager torch operations and ``torch.optim.SGD``.

Run ``python -m benchmarks.samplers`` (part of ``make bench``). All cases take turns; a rate is the
median over the rounds, in million parameters a second. A bar is a rate to reach on 2 threads.
"""

import argparse
import os
import statistics
import time
from collections.abc import Callable
from functools import partial

import torch

import numformats as nf
from benchmarks import eager
from samplers import PerChannel, Precision
from samplers.sghmc_one_pass import one_pass, one_pass_serves
from samplers.sghmc_steps import exponential
from samplers.steps import descent, gradient, step
from samplers.underdamped import Dynamics, moments

LR, VARIANCE = 0.1, 2e-4
DYNAMICS = Dynamics(0.1, 2.0, 2.0, 1e-4)
FIXED = "fixed<8,6>"
ROWS = {  # name: precision, bar of SGLD
    "fixed, variance-corrected": (Precision(FIXED, FIXED, "variance_corrected"), 150),
    "block, variance-corrected": (
        Precision(PerChannel(8), PerChannel(8), "variance_corrected"),
        100,
    ),
    "fixed, naive": (Precision(FIXED, FIXED, "low"), 250),
    "fixed, full": (Precision(FIXED, FIXED, "full"), 0),
    "float32": (Precision(), 0),
}
EAGER = {
    "fixed, variance-corrected": "corrected",
    "block, variance-corrected": "block",
    "fixed, naive": "naive",
    "fixed, full": "full",
}
Case = Callable[[], object]


def sgld(theta: torch.Tensor, grad: torch.Tensor, precision: Precision) -> None:
    key = nf.Key(1)
    step(theta, grad, lr=LR, weight_decay=0.0, variance=VARIANCE, precision=precision, key=key)


def sghmc(theta: torch.Tensor, still: torch.Tensor, grad: torch.Tensor, p: Precision) -> None:
    if one_pass_serves(theta, p):
        one_pass(theta, still, grad, 0.0, DYNAMICS, p, nf.Key(1))
        return
    slope = descent(theta, gradient(theta, grad, p, nf.Key(1)), 0.0)
    exponential(theta, still, slope, DYNAMICS, p, nf.Key(1))


def cases(side: int) -> dict[str, tuple[Case, int]]:
    """Every row: its call and its bar."""
    theta, grad = torch.randn(side, side) * 0.1, torch.randn(side, side) * 0.01
    velocity, copies = torch.randn(side, side) * 0.01, [torch.randn(side, side) for _ in range(2)]
    found: dict[str, tuple[Case, int]] = {}
    for name, (p, bar) in ROWS.items():
        found[f"SGLD, {name}"] = (partial(sgld, theta, grad, p), bar)
        found[f"SGHMC, {name}"] = (partial(sghmc, theta, velocity, grad, p), 0)
    for name, kind in EAGER.items():
        found[f"eager SGLD, {name}"] = (
            partial(eager.sgld, copies[0], grad, LR, VARIANCE, kind),
            0,
        )
    m = moments(DYNAMICS)._asdict()
    found["eager SGHMC, fixed, variance-corrected"] = (partial(eager.sghmc, *copies, grad, m), 0)
    weight = torch.nn.Parameter(theta.clone())
    weight.grad = grad
    found["torch.optim.SGD"] = (torch.optim.SGD([weight], LR).step, 0)
    return found


def rates(side: int, rounds: int) -> dict[str, tuple[float, int]]:
    """Million parameters a second of every row, and its bar."""
    table = cases(side)
    taken: dict[str, list[float]] = {name: [] for name in table}
    for number in range(rounds + 1):
        for name, (call, _) in table.items():
            start = time.perf_counter()
            call()
            if number:  # the first round compiles
                taken[name].append(time.perf_counter() - start)
    return {
        name: (side * side / statistics.median(times) / 1e6, table[name][1])
        for name, times in taken.items()
    }


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--side", type=int, default=2048)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    load = os.getloadavg()[0]
    print(f"{options.side**2} float32 weights, {options.threads} threads, load {load:.1f}")
    print(f"{'one step':42} {'M/s':>6} {'bar':>5}")
    for name, (rate, bar) in rates(options.side, options.rounds).items():
        print(f"{name:42} {rate:6.0f} {bar or '-':>5}")


if __name__ == "__main__":
    main()
