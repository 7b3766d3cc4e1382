"""All that a machine with a GPU can say, in one command: ``make gpu-check``.

Runs the tests of the CUDA backends, then the benchmark, each within its time and whatever becomes
of the other. Writes the output of both (``tests.log``, ``benchmark.log``), ``tests.xml``,
``gpu.json``, ``gpu.md`` and, after each step, ``check.json``, which says how each ended and which
tests failed. A step whose packages are missing is left out, and says which.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import threading
import time
import xml.etree.ElementTree as ElementTree
from typing import Any, NamedTuple

TESTS = (
    "tests/engines/test_hopper.py", "tests/test_gpu_cases.py", "tests/test_gpu.py",
    "tests/engines/test_gpu.py", "tests/test_user_modes.py", "tests/torch/test_quantizer_gpu.py",
    "tests/torch/simulation/test_gpu.py",
)  # fmt: skip
# a backend that is missing is said by the steps themselves
NEEDED = {
    "tests": ("numba", "torch", "pytest", "hypothesis", "ml_dtypes"),
    "benchmark": ("numba", "torch"),
}
WRITTEN = ("tests.log", "benchmark.log", "tests.xml", "gpu.json", "gpu.md", "check.json")
GRACE = 25.0  # seconds that a step has to write what it knows once its time is over


class Step(NamedTuple):
    """A command, and the seconds that it may take."""

    name: str
    command: list[str]
    seconds: float


def steps(out: pathlib.Path, workers: int, limits: tuple[float, float], more: list[str]) -> Any:
    """Tests, then the benchmark, which has the device alone."""
    python = [sys.executable, "-m"]
    side = ["-n", str(workers), "--dist", "worksteal"] if _found("xdist") else []
    how = ["-v", "--continue-on-collection-errors", "-p", "tests.lost_device", "--durations", "15"]
    tests = [*python, "pytest", *side, *how, f"--junitxml={out / 'tests.xml'}", *TESTS]
    speed = [*python, "benchmarks.gpu", "--out", str(out), *more]
    return [Step("tests", tests, limits[0]), Step("benchmark", speed, limits[1])]


def surroundings() -> dict[str, str]:
    """The environment of the steps: a CUDA toolkit that Numba finds, and few threads a worker."""
    found = dict(os.environ)
    compiler = shutil.which("nvcc")
    home = pathlib.Path(compiler).resolve().parent.parent if compiler else "/usr/local/cuda"
    if pathlib.Path(home).is_dir():
        found.setdefault("CUDA_HOME", str(home))
    for name in ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS"):
        found.setdefault(name, "2")
    return found | {"PYTHONUNBUFFERED": "1"}


def run(step: Step, out: pathlib.Path) -> dict[str, Any]:
    """Run a step, its output to the terminal and into its log."""
    began, over = time.monotonic(), threading.Event()
    process = subprocess.Popen(
        step.command, env=surroundings(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, start_new_session=True,
    )  # fmt: skip
    watch = threading.Thread(target=_end, args=(process, step.seconds, over), daemon=True)
    watch.start()
    assert process.stdout is not None
    with (out / f"{step.name}.log").open("w") as log:
        for line in process.stdout:
            print(line, end="", flush=True)
            log.write(line)
            log.flush()
    code = process.wait()
    taken = round(time.monotonic() - began, 1)
    return {"exit": code, "seconds": taken, "limit": step.seconds, "timed_out": over.is_set()}


def _end(process: subprocess.Popen[str], seconds: float, over: threading.Event) -> None:
    """End a process whose time is over: politely, then with all that it started."""
    for after, group in ((seconds, False), (GRACE, True)):
        try:
            process.wait(after)
            return
        except subprocess.TimeoutExpired:
            over.set()
            if group:
                os.killpg(process.pid, signal.SIGKILL)
            else:
                process.send_signal(signal.SIGINT)


def outcomes(path: pathlib.Path) -> dict[str, Any]:
    """What pytest wrote: how many tests passed, why others were skipped, which failed."""
    if not path.exists():
        return {"passed": 0, "skipped": {}, "failed": {}}
    root, skipped, failed = ElementTree.parse(path), dict[str, int](), dict[str, str]()
    for case in root.iter("testcase"):
        name = f"{case.get('classname')}::{case.get('name')}"
        for part in case:
            message = (part.get("message") or "")[:300]
            if part.tag in ("failure", "error"):
                failed[name] = message
            elif part.tag == "skipped":
                skipped[message] = skipped.get(message, 0) + 1
    counts = {name: _total(root, name) for name in ("tests", "failures", "errors", "skipped")}
    passed = 2 * counts["tests"] - sum(counts.values())
    return {"passed": passed, "skipped": skipped, "failed": failed}


def _total(root: Any, name: str) -> int:
    """A count of tests that ended, of all suites."""
    return sum(int(suite.get(name, 0)) for suite in root.iter("testsuite"))


def missing(step: str) -> list[str]:
    """Modules that a step needs and this Python lacks."""
    return [name for name in NEEDED[step] if not _found(name)]


def _found(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:
        return False


def main() -> None:
    """Run the steps and say how they ended; exit code 1 where anything failed or could not run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("gpu-check"))
    parser.add_argument("--workers", type=int, default=max(min((os.cpu_count() or 2) - 2, 14), 1))
    parser.add_argument("--test-seconds", type=float, default=300)
    parser.add_argument("--benchmark-seconds", type=float, default=130)
    options, more = parser.parse_known_args()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # steps are ended by it
    options.out.mkdir(parents=True, exist_ok=True)
    for name in WRITTEN:
        (options.out / name).unlink(missing_ok=True)
    limits = (options.test_seconds, options.benchmark_seconds)
    ended: dict[str, dict[str, Any]] = {}
    for step in steps(options.out, options.workers, limits, more):
        absent = missing(step.name)
        ended[step.name] = _left_out(absent) if absent else run(step, options.out)
        found = {"steps": ended, "tests": outcomes(options.out / "tests.xml")}
        (options.out / "check.json").write_text(json.dumps(found, indent=1))
    print(json.dumps(found, indent=1))
    sys.exit(any(step["exit"] for step in ended.values()))


def _left_out(absent: list[str]) -> dict[str, Any]:
    what = "write make gpu-check without WITH=, which installs them into .venv"
    return {"exit": 1, "missing": absent, "remedy": f"{sys.executable} lacks them; {what}"}


if __name__ == "__main__":
    main()
