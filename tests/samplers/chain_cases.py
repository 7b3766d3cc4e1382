"""Models, data and specifications of the chains' tests, by names that a new process can import."""

import os
import signal
from dataclasses import dataclass

import numpy as np
import torch

from samplers import SGLD, ChainSpec


def network(width=12):
    """Buffers, and a layer that draws from torch's own generator."""
    return torch.nn.Sequential(
        torch.nn.Linear(4, width),
        torch.nn.BatchNorm1d(width),
        torch.nn.ReLU(),
        torch.nn.Dropout(0.2),
        torch.nn.Linear(width, 3),
    )


class Remembering(torch.nn.Module):
    """State that a state_dict leaves out, and state that is no tensor."""

    def __init__(self):
        super().__init__()
        self.inner, self.calls = network(), 0
        self.register_buffer("centre", torch.zeros(4), persistent=False)

    def get_extra_state(self):
        return {"calls": self.calls}

    def set_extra_state(self, state):
        self.calls = state["calls"]

    def forward(self, x):
        if self.training:
            self.calls += 1
            self.centre = 0.9 * self.centre + 0.1 * x.mean(0)
        return self.inner(x - self.centre) / (1 + self.calls % 3)


def points(count=50):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((count, 4)).astype(np.float32)
    return torch.from_numpy(x), torch.from_numpy((x @ rng.standard_normal((4, 3))).argmax(1))


class Augmented:
    """Points that are moved at random whenever they are fetched."""

    def __init__(self, count=50):
        self.x, self.y = points(count)

    def __len__(self):
        return len(self.y)

    def __getitem__(self, index):
        x = self.x[index]
        return x + 0.1 * torch.randn_like(x), self.y[index]


class Killing(Augmented):
    """Ends its process by SIGKILL when the third batch is fetched."""

    fetched = 0

    def __getitem__(self, index):
        self.fetched += 1
        if self.fetched == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().__getitem__(index)


class OddError(Exception):
    """It can be pickled, but its pickle does not load."""

    def __init__(self, a, b):
        super().__init__(f"odd {a} {b}")


def odd():
    raise OddError(1, 2)


def unpicklable():
    error = ValueError("holds a function")
    error.held = lambda: None
    raise error


def leaving():
    raise SystemExit(3)


def arrays():
    return tuple(part.numpy() for part in points())


def two_parts():
    return torch.zeros(3, 4), torch.zeros(2)


@dataclass(frozen=True)
class Pull:
    """An option that is no plain data."""

    strength: float = 0.0


class PulledSGD(SGLD):
    """An optimizer of one's own, without num_data."""

    def __init__(self, params, lr, *, pull, precision=None, seed=0, chain=0):
        decay = pull.strength
        super().__init__(
            params, lr, num_data=1, temperature=0.0, weight_decay=decay,
            precision=precision, seed=seed, chain=chain,
        )  # fmt: skip


def halving(step, steps):
    """1 in the first third of a run, ½ in the second, ¼ in the third."""
    return 0.5 ** (3 * step // steps)


PRECISION = {
    "weight": "fixed<8,5>",
    "gradient": "fixed<8,5>",
    "accumulator": "variance_corrected",
    "rules": [["1.*", None]],
}


def spec(folder, **changes):
    """27 steps of 3 cycles, 8 points a batch of 50: an epoch is 6 steps, a cycle 9."""
    options = {
        "model": network,
        "data": points,
        "steps": 27,
        "batch_size": 8,
        "options": {"lr": 0.1, "weight_decay": 1e-3},
        "precision": PRECISION,
        "cycles": 3,
        "exploration": 0.5,
        "thinning": 2,
        "checkpoint_every": 4,
        "seed": 5,
    }
    return ChainSpec(folder=folder, **{**options, **changes})
