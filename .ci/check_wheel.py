"""Import the installed wheel and run it, away from the source tree; print what was seen."""

from __future__ import annotations

import json
import pathlib
import subprocess
import sys

IMPORT_LIMIT_SECONDS = 0.5

TIMED_IMPORT = """
import json, sys, time
start = time.perf_counter()
import numformats
seconds = time.perf_counter() - start
heavy = [name for name in ("torch", "cupy", "samplers") if name in sys.modules]
print(json.dumps({"seconds": seconds, "heavy": heavy, "file": numformats.__file__}))
"""

ROUNDED = """
import numpy as np
import numformats as nf

x = np.float32([0.3, 1.0625, -500.0, 2.0**-10, np.nan])
wanted = np.float32([0.3125, 1.0, -448.0, 0.0, np.nan])  # E4M3, by hand
np.testing.assert_array_equal(nf.quantize(x, nf.E4M3), wanted)
np.testing.assert_array_equal(nf.decode(nf.encode(x, nf.E4M3), nf.E4M3), wanted)
# MXFP4: amax 7 gives the scale 2**(2 - 2); 7 lies beyond the largest element, 6
block = np.float32([7.0, 1.2, -0.2] + [0.0] * 29)
np.testing.assert_array_equal(nf.quantize(block, nf.MXFP4)[:3], np.float32([6.0, 1.0, -0.0]))
"""


PAGE_FILES = """
import importlib.util, pathlib
(package,) = importlib.util.find_spec("samplers").submodule_search_locations  # no torch needed
folder = pathlib.Path(package) / "compare/page/templates"
print(*sorted(path.name for path in folder.iterdir()))
"""


def run(code: str) -> str:
    """Run ``code`` in a new interpreter and give back what it printed."""
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return done.stdout


def check_files() -> None:
    """Types and licence are in the wheel, and its version is the package's."""
    import importlib.metadata as metadata

    found = metadata.distribution("numformats")
    held = {str(file) for file in found.files or []}
    assert {"numformats/py.typed", "samplers/py.typed"} <= held, "py.typed is missing"
    assert any(name.endswith("licenses/LICENSE") for name in held), "LICENSE is missing"
    version = run("import numformats; print(numformats.__version__)").strip()
    assert found.version == version, f"wheel {found.version}, package {version}"


def main() -> None:
    """Check that the wheel is whole, that the import is light and that rounding works."""
    assert not any(pathlib.Path().iterdir()), "run this from an empty folder"
    runs = [json.loads(run(TIMED_IMPORT)) for _ in range(4)]
    best = min(each["seconds"] for each in runs)
    assert all(each["heavy"] == [] for each in runs), f"import numformats brought in {runs}"
    assert sys.prefix in runs[0]["file"], f"imported {runs[0]['file']}, not the wheel's"
    assert best < IMPORT_LIMIT_SECONDS, f"import numformats took {best:.2f} s"
    check_files()
    run(ROUNDED)
    names = run(PAGE_FILES).split()
    assert {"report.html.j2", "style.css", "sort.js"} <= set(names), f"the wheel's page: {names}"
    print(f"wheel: imports in {best:.2f} s without torch, and rounds")


main()
