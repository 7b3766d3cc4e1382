"""What recurrent cells do with the products of input and hidden state."""

from collections.abc import Callable

import torch

Tensor = torch.Tensor
State = tuple[Tensor, ...]
Cell = Callable[[Tensor, Tensor, State], State]


def lstm(x: Tensor, h: Tensor, state: State) -> State:
    """``c' = f c + i g``, ``h' = o tanh(c')``; gates i, f, g, o."""
    i, f, g, o = (x + h).chunk(4, -1)
    c = f.sigmoid() * state[1] + i.sigmoid() * g.tanh()
    return o.sigmoid() * c.tanh(), c


def gru(x: Tensor, h: Tensor, state: State) -> State:
    """``h' = n + z (h - n)``, ``n = tanh(x_n + r h_n)``; gates r, z, n."""
    xr, xz, xn = x.chunk(3, -1)
    hr, hz, hn = h.chunk(3, -1)
    n = (xn + (xr + hr).sigmoid() * hn).tanh()
    return (n + (xz + hz).sigmoid() * (state[0] - n),)


def rnn_tanh(x: Tensor, h: Tensor, state: State) -> State:
    """``h' = tanh(x + h)``."""
    return ((x + h).tanh(),)


def rnn_relu(x: Tensor, h: Tensor, state: State) -> State:
    """``h' = relu(x + h)``."""
    return ((x + h).relu(),)


CELLS: dict[str, Cell] = {"lstm": lstm, "gru": gru, "rnn_tanh": rnn_tanh, "rnn_relu": rnn_relu}
