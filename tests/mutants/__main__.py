"""``python -m tests.mutants [WORD ...]``: inject each fault, run its tests, print what was caught.

Works on a copy of the project; words choose the faults whose names hold one of them. Ends with
status 1 unless every fault is caught and the unchanged copy passes the same tests.
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.mutants.faults import FAULTS, Fault

ROOT = Path(__file__).parents[2]
FOLDERS = ("numformats", "samplers", "tests", "benchmarks", "docs")


def passes(copy: Path, tests: list[str]) -> bool:
    """Whether pytest finds these tests and all of them pass."""
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *tests]
    done = subprocess.run(command, cwd=copy, capture_output=True, text=True, check=False)
    if done.returncode not in (0, 1):
        raise SystemExit(
            f"pytest ended with {done.returncode} on {tests}:\n{done.stdout}{done.stderr}"
        )
    return done.returncode == 0


def caught(copy: Path, fault: Fault) -> bool:
    """Whether a test fails with the fault in place; takes it out again."""
    path = copy / fault.file
    text = path.read_text()
    path.write_text(text.replace(fault.old, fault.new))
    try:
        return not passes(copy, list(fault.tests))
    finally:
        path.write_text(text)


def main() -> None:
    """Print the table and the share."""
    words = [word.lower() for word in sys.argv[1:]]
    chosen = [f for f in FAULTS if not words or any(w in f.name.lower() for w in words)]
    if not chosen:
        raise SystemExit(f"no fault has one of {words} in its name; see tests/mutants/faults.py")
    missed = []
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        for name in FOLDERS:
            shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
        for name in ("pyproject.toml", "README.md", "CHANGELOG.md"):
            shutil.copy(ROOT / name, copy / name)
        if not passes(copy, sorted({test for fault in chosen for test in fault.tests})):
            raise SystemExit("a test fails without any fault; mend that first")
        for fault in chosen:
            found = caught(copy, fault)
            missed += [] if found else [fault.name]
            print(f"{'caught' if found else 'MISSED':7} {fault.file:32} {fault.name}", flush=True)
    share = 1 - len(missed) / max(len(chosen), 1)
    print(f"{len(chosen) - len(missed)} of {len(chosen)} faults caught: {share:.0%}")
    raise SystemExit(bool(missed))


if __name__ == "__main__":
    main()
