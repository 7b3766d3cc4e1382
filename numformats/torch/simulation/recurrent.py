"""RNN, LSTM and GRU, layers and cells, as their linear products."""

from collections.abc import Sequence
from typing import Any

import torch

from numformats.torch.simulation.arguments import alike
from numformats.torch.simulation.gates import CELLS, Cell
from numformats.torch.simulation.handlers import intercepts
from numformats.torch.simulation.multiplying import Operand
from numformats.torch.simulation.operands import operand
from numformats.torch.simulation.places import Site
from numformats.torch.simulation.products import product

Tensor = torch.Tensor
State = tuple[Tensor, ...]


class Weights:
    """The stored weights of one layer in one direction."""

    def __init__(self, site: Site, parameters: Sequence[Tensor], biased: bool, projected: bool):
        self.site = site
        tensors = list(parameters)
        self.input, self.hidden = (self._stored(x, n) for n, x in enumerate(tensors[:2]))
        self.biases = tensors[2:4] if biased else [None, None]
        self.projection = self._stored(tensors[-1], 4) if projected else None

    def _stored(self, x: Tensor, position: int) -> Operand:
        return operand(self.site, x, "weights", position)

    def times(self, x: Tensor, weight: Operand, bias: Tensor | None = None) -> Tensor:
        """``x @ weight.T + bias``."""
        site = self.site.again()
        return product(site, operand(site, x, "activations", 0), weight.mT, bias)


def step(cell: Cell, weights: Weights, gates: Tensor, state: State) -> State:
    """One time step from the gates of the input."""
    inner = weights.times(state[0], weights.hidden, weights.biases[1])
    with weights.site.composite:
        new = cell(gates, inner, state)
    if weights.projection is None:
        return new
    return (weights.times(new[0], weights.projection), *new[1:])


def layer(
    cell: Cell, weights: Weights, x: Tensor, sizes: Sequence[int], state: State, reverse: bool
) -> tuple[Tensor, State]:
    """One layer in one direction over packed ``x`` (all steps, features).

    ``sizes`` are how many sequences have step t, descending; ``state`` is (sequences, hidden).
    """
    gates = weights.times(x, weights.input, weights.biases[0]).split(list(sizes))
    outputs: list[Tensor] = [gates[0]] * len(gates)
    for t in range(len(sizes))[:: -1 if reverse else 1]:
        n = sizes[t]
        new = step(cell, weights, gates[t], tuple(s[:n] for s in state))
        rest = (s[n:] for s in state)
        state = tuple(torch.cat((a, b)) if len(b) else a for a, b in zip(new, rest, strict=True))
        outputs[t] = new[0]
    return torch.cat(outputs), state


def network(
    site: Site, name: str, x: Tensor, sizes: Sequence[int], state: State, flat: Any, shape: Any
) -> tuple[Tensor, State]:
    """All layers; ``shape`` is (biased, layers, dropout, training, bidirectional)."""
    biased, layers, dropout, training, both = shape
    projected = len(state) == 2 and state[0].shape[-1] != state[1].shape[-1]
    count, sides = 2 + 2 * biased + projected, 1 + both
    last: list[State] = []
    for number in range(layers):
        found = []
        for side in range(sides):
            at = number * sides + side
            weights = Weights(site.again(), flat[at * count : (at + 1) * count], biased, projected)
            first = tuple(s[at] for s in state)
            y, end = layer(CELLS[name], weights, x, sizes, first, bool(side))
            found.append(y)
            last.append(end)
        x = torch.cat(found, -1) if both else found[0]
        if dropout and training and number < layers - 1:
            with site.composite:
                x = torch.nn.functional.dropout(x, dropout, True)
    return x, tuple(torch.stack(part) for part in zip(*last, strict=True))


def sequence(site: Site, name: str, args: Sequence[Any]) -> tuple[Tensor, ...]:
    """``torch.lstm`` and its like: (input, hx, ...), or packed (data, batch_sizes, hx, ...)."""
    states = 2 if name == "lstm" else 1
    if isinstance(args[3], bool):  # input, hx, weights, biased, ..., batch_first
        x, hx, flat, *shape, batch_first = args
        state = tuple(hx) if states == 2 else (hx,)
        steps = x.transpose(0, 1) if batch_first else x
        if not steps.shape[0]:
            raise ValueError(f"{name}: input {tuple(x.shape)} has no step; give one or more")
        sizes = [steps.shape[1]] * steps.shape[0]
        y, last = network(site, name, steps.flatten(0, 1), sizes, state, flat, shape)
        y = y.unflatten(0, steps.shape[:2])
        return (y.transpose(0, 1) if batch_first else y, *last)
    x, batch_sizes, hx, flat, *shape = args
    state = tuple(hx) if states == 2 else (hx,)
    y, last = network(site, name, x, batch_sizes.tolist(), state, flat, shape)
    return (y, *last)


def _layers(name: str) -> None:
    @intercepts(name, composite=True)
    def run(site: Site, *args: Any) -> tuple[Tensor, ...]:
        return sequence(site, name, args)

    @intercepts(f"{name}_cell", composite=True)
    def cell(
        site: Site,
        input: Tensor,
        hx: Any,
        w_ih: Tensor,
        w_hh: Tensor,
        b_ih: Tensor | None = None,
        b_hh: Tensor | None = None,
    ) -> Any:
        state = tuple(hx) if name == "lstm" else (hx,)
        alike(site.op, 0, input=input, **{f"hx_{n}": h for n, h in enumerate(state)})
        weights = Weights(site, [w_ih, w_hh, b_ih, b_hh], True, False)  # type: ignore[list-item]
        gates = weights.times(input, weights.input, b_ih)
        state = step(CELLS[name], weights, gates, state)
        return state if name == "lstm" else state[0]


for _name in CELLS:
    _layers(_name)
