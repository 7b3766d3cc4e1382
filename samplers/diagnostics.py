"""Whether chains mixed, and whether the sampler runs at the temperature asked for."""

from __future__ import annotations

import fnmatch
import importlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from samplers.samples import Samples
from samplers.stacking import stacked

Floats = NDArray[np.float64]


def draws(samples: Samples, names: str = "*") -> dict[str, Floats]:
    """Chosen tensors of stored samples as arrays.

    Args:
        samples: a ``SampleStore`` or a part of one, as many samples of each chain.
        names: a glob on the tensors' names.

    Returns:
        float64 arrays (chains, draws, *shape) by name; exact.

    Raises:
        ValueError: no samples, chains of different lengths, no tensor of that name, or one that
            some samples have not, or have in another shape.
    """
    counts = {number: len(samples.chain(number)) for number in samples.chains}
    if not counts or len(set(counts.values())) > 1:
        raise ValueError(
            f"the chains of {str(samples.folder)!r} have {counts} samples; wait until all are "
            "done, or take chains of equal length"
        )
    found: dict[str, dict[int, list[Floats]]] = {}
    for number in counts:
        for sample in samples.chain(number):
            for name in fnmatch.filter(sample, names):
                found.setdefault(name, {}).setdefault(number, []).append(_array(sample[name]))
    if not found:
        raise ValueError(f"names={names!r} fits none of {list(samples[0])}; write a glob on them")
    return {name: stacked(name, held, counts) for name, held in found.items()}


def ess(values: Any, method: str = "bulk") -> Floats:
    """Effective sample size of each coordinate.

    Args:
        values: (chains, draws, ...), at least 4 draws.
        method: as of ``arviz_stats.ess``: ``"bulk"``, ``"mean"``, ``"sd"``, ``"median"``, ...

    Returns:
        One number a coordinate, shape (...); NaN where a value is NaN. Promise: that of
        arviz-stats.

    Reference: Vehtari et al., Bayesian Analysis 2021 (arXiv 1903.08008).
    """
    return np.asarray(
        _extra("arviz_stats.base").array_stats.ess(
            _chains(values), chain_axis=0, draw_axis=1, method=method
        )
    )


def rhat(values: Any, method: str = "rank") -> Floats:
    """Split R-hat of each coordinate: near 1 where chains and halves of chains agree.

    Args:
        values: (chains, draws, ...), at least 4 draws.
        method: ``"rank"``, rank-normalised and folded, or ``"split"``, as of ``arviz_stats.rhat``.

    Returns:
        One number a coordinate, shape (...); NaN where a value is NaN or all are equal, and of a
        single chain. Promise: that of arviz-stats.

    Reference: Vehtari et al., Bayesian Analysis 2021 (arXiv 1903.08008).
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(
            _extra("arviz_stats.base").array_stats.rhat(
                _chains(values), chain_axis=0, draw_axis=1, method=method
            )
        )


def to_arviz(samples: Samples | Mapping[str, Any], names: str = "*") -> Any:
    """Posterior draws as ArviZ takes them, for its tables and plots.

    Args:
        samples: a ``SampleStore``, or arrays (chains, draws, ...) by name, as `draws` gives them.
        names: a glob on the tensors' names, for a store.

    Returns:
        An ``xarray.DataTree`` with the group ``posterior``.
    """
    held = draws(samples, names) if isinstance(samples, Samples) else samples
    posterior = {name: _chains(values, least=1) for name, values in held.items()}
    return _extra("arviz_base").from_dict({"posterior": posterior})


def kinetic_temperature(
    velocities: Any, inverse_mass: float = 1.0, *, num_data: float = 1.0
) -> float:
    """Temperature of the velocities: T_K = num_data · mean(v²) / inverse_mass.

    Args:
        velocities: an array, or a list or mapping of arrays; a momentum p is a velocity u·p.
        inverse_mass: u.
        num_data: of the optimizer, whose noise has variance T/num_data.

    Returns:
        T_K; in equilibrium its law is T·χ²_d/d, see `kinetic_interval`.
    """
    return float(num_data * np.mean(_all(velocities) ** 2) / inverse_mass)


def kinetic_interval(
    dimension: int, temperature: float = 1.0, level: float = 0.999
) -> tuple[float, float]:
    """Where `kinetic_temperature` of ``dimension`` velocities lies with probability ``level``.

    Reference: Wenzel et al., ICML 2020 (arXiv 2002.02405).
    """
    if dimension < 1 or not 0 < level < 1:
        raise ValueError(f"dimension={dimension!r}, level={level!r}; write at least 1, and (0, 1)")
    chi2 = _extra("scipy.stats").chi2
    low, high = chi2.ppf([(1 - level) / 2, (1 + level) / 2], dimension) / dimension
    return float(temperature * low), float(temperature * high)


def configurational_temperature(
    positions: Any, gradients: Any, center: float = 0.0, *, num_data: float = 1.0
) -> float:
    """Temperature of the positions by the virial: T_C = num_data · mean((θ - c)·∇U).

    Args:
        positions: draws of θ, any shape, or a list or mapping of arrays.
        gradients: ∇U at each of them in the same order, of mappings by name, of the mean loss and
            its share of the prior (wd·θ).
        center: a fixed c; the mean of θ gives the least variance.
        num_data: of the optimizer.

    Returns:
        T_C, whose mean is T for every smooth target and fixed c.

    Reference: Wenzel et al., ICML 2020 (arXiv 2002.02405).
    """
    if isinstance(positions, Mapping) and isinstance(gradients, Mapping):
        if positions.keys() != gradients.keys():
            raise ValueError(
                f"positions of {sorted(positions)} and gradients of {sorted(gradients)}; write the "
                "same names"
            )
        gradients = [gradients[name] for name in positions]
    theta, gradient = _all(positions), _all(gradients)
    if theta.shape != gradient.shape:
        raise ValueError(
            f"{theta.size} positions and {gradient.size} gradients; write one for each coordinate"
        )
    return float(num_data * np.mean((theta - center) * gradient))


def _chains(values: Any, least: int = 4) -> Floats:
    array = _array(values)
    if array.ndim < 2 or array.shape[1] < least:
        raise ValueError(f"values have shape {array.shape}; write (chains, draws >= {least}, ...)")
    return array


def _all(values: Any) -> Floats:
    """Every number of an array or of several, flat."""
    if isinstance(values, Mapping):
        values = list(values.values())
    parts = values if isinstance(values, list | tuple) else [values]
    flat = np.concatenate([_array(part).ravel() for part in parts]) if parts else np.empty(0)
    if not flat.size:
        raise ValueError("no numbers came; write at least one")
    return flat


def _array(values: Any) -> Floats:
    return np.asarray(torch.as_tensor(values).detach().cpu().double())


def _extra(module: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ImportError(
            f"{module} is missing; write pip install 'numformats[diagnostics]'"
        ) from error
