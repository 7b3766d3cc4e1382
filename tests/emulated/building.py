"""PTX built for the host, and its kernels called."""

from __future__ import annotations

import ctypes
import hashlib
import pathlib
import subprocess
from typing import Any

from tests.emulated.translate import HERE, Entry, cpp

# Overflow wraps, a pointer may be of any type, and no product and sum become one operation.
COMMAND = "g++ -std=c++20 -O1 -fwrapv -fno-strict-aliasing -ffp-contract=off -fPIC -shared -w"


class Library:
    """The kernels of a PTX module."""

    def __init__(self, text: str, folder: pathlib.Path) -> None:
        translated, self.entries = cpp(text)
        headers = "".join(path.read_text() for path in sorted(HERE.glob("*.h")))
        name = hashlib.sha256((translated + headers).encode()).hexdigest()[:16]
        built = folder / f"{name}.so"
        if not built.exists():
            built.with_suffix(".cpp").write_text(translated)
            command = [
                *COMMAND.split(),
                f"-I{HERE}",
                str(built.with_suffix(".cpp")),
                "-o",
                str(built),
            ]
            done = subprocess.run(command, capture_output=True, text=True)
            assert done.returncode == 0, done.stderr[:3000]
        self.loaded = ctypes.CDLL(str(built))

    def launch(
        self, entry: Entry, grid: int, block: int, values: list[Any], backwards: bool = False
    ) -> None:
        """Run all threads; ``values`` are ctypes numbers, one a parameter."""
        assert tuple(ctypes.sizeof(v) for v in values) == entry.sizes
        params = (ctypes.c_void_p * len(values))(*(ctypes.addressof(v) for v in values))
        run = getattr(self.loaded, entry.symbol)
        run.restype = ctypes.c_char_p
        failure = run(ctypes.c_uint(grid), ctypes.c_uint(block), ctypes.c_bool(backwards), params)
        if failure:
            raise RuntimeError(f"{entry.name}: {failure.decode()}")

    def may_touch(self, ranges: list[tuple[int, int]]) -> None:
        """What its kernels may read and write: (first address, number of bytes) each."""
        flat = [address for start, size in ranges for address in (start, start + size)]
        array = (ctypes.c_uint64 * len(flat))(*flat)
        self.loaded.may_touch(array, ctypes.c_uint64(len(ranges)))
