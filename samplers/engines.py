"""What an engine is: a way to run several chains."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from samplers.spec import ChainSpec

Progress: TypeAlias = Callable[[int, int], None]
"""Takes the position of a specification and the steps that its chain has done."""

Engine: TypeAlias = Callable[[Sequence[ChainSpec], int, Progress], Mapping[int, BaseException]]
"""Runs specifications with so many workers and tells the progress; gives back what chains raised,
by their positions."""

REFRESH_SECONDS = 0.2
