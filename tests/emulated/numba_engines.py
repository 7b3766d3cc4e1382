"""The PTX of the Numba CUDA kernels of matrix products, run on the host and compared with the
reference. A process of its own: ``python -m tests.emulated.numba_engines FOLDER``.
"""

from __future__ import annotations

import pathlib
import sys

from numformats.backends import (
    numba_cuda,
    numba_cuda_chains,
    numba_cuda_dots,
    numba_cuda_reading,
)
from tests.emulated.numba_kernels import Host, stand_in
from tests.engines import simulated


def main() -> None:
    modules = [numba_cuda, numba_cuda_chains, numba_cuda_dots, numba_cuda_reading]
    stand_in(Host(pathlib.Path(sys.argv[1])), modules)
    print(f"{simulated.devices()} device, {simulated.chains()} chain cases agree")


if __name__ == "__main__":
    main()
