"""Small optimizers of every sampler for tests of their conduct."""

import torch

from tests.samplers.algorithms import ALGORITHMS

FMT = "fixed<8,5>"
NAMES = list(ALGORITHMS)


def build(name, params, **options):
    return ALGORITHMS[name].build(params, **({"num_data": 20} | options))


def parameters(*shapes):
    return [torch.nn.Parameter(torch.full(shape, 0.25)) for shape in shapes]


def give_gradients(params, value=0.1):
    for param in params:
        param.grad = torch.full_like(param, value)


def contents(optimizer, params):
    tensors = [p.detach().clone() for p in params]
    for param in params:
        tensors += [v.clone() for v in optimizer.state[param].values() if torch.is_tensor(v)]
    return tensors
