"""Law: ``make gpu-check`` says how each step ended, ends those whose time is over, and keeps what
the tests said until then.
"""

from __future__ import annotations

import json
import pathlib
import sys
from typing import Any

import pytest

from benchmarks import gpu_check
from benchmarks.gpu_check import Step, outcomes, run

SLOW = """
import time
import pytest

def test_quick():
    pass

def test_wrong():
    assert 1 == 2, "one is not two"

@pytest.mark.skip(reason="no CUDA device")
def test_left():
    pass

def test_long():
    time.sleep(600)
"""


def python(code: str, seconds: float) -> Step:
    return Step("tests", [sys.executable, "-c", code], seconds)


@pytest.mark.parametrize("code", [0, 3])
def test_a_step_ends_as_it_ends(code: int, tmp_path: pathlib.Path) -> None:
    ended = run(python(f"print('said'); raise SystemExit({code})", 60), tmp_path)
    assert (ended["exit"], ended["timed_out"]) == (code, False)
    assert (tmp_path / "tests.log").read_text() == "said\n"


def test_a_step_that_does_not_heed_is_killed(tmp_path: pathlib.Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(gpu_check, "GRACE", 0.2)
    deaf = "import signal, time; signal.signal(signal.SIGINT, signal.SIG_IGN); time.sleep(600)"
    ended = run(python(deaf, 1.0), tmp_path)
    assert ended["timed_out"]
    assert ended["exit"] != 0
    assert ended["seconds"] < 60


@pytest.mark.usefixtures("interruptible")
def test_tests_whose_time_is_over_leave_what_they_found(tmp_path: pathlib.Path) -> None:
    (tmp_path / "test_slow.py").write_text(SLOW)
    where = ["--rootdir", str(tmp_path), "-c", "/dev/null", str(tmp_path / "test_slow.py")]
    how = ["-q", "-n", "2", "--dist", "worksteal", f"--junitxml={tmp_path / 'tests.xml'}"]
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *how, *where]
    ended = run(Step("tests", command, 12.0), tmp_path)
    found = outcomes(tmp_path / "tests.xml")
    assert ended["timed_out"]
    assert found["passed"] == 1
    assert found["skipped"] == {"no CUDA device": 1}
    (message,) = (text for name, text in found["failed"].items() if "wrong" in name)
    assert "one is not two" in message


def test_the_benchmark_runs_after_tests_that_fail(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def two(out: pathlib.Path, workers: int, limits: Any, more: list[str]) -> list[Step]:
        return [python("raise SystemExit(1)", limits[0]), Step("benchmark", [*ECHO, *more], 60)]

    monkeypatch.setattr(gpu_check, "steps", two)
    monkeypatch.setattr(gpu_check, "missing", lambda step: [])
    monkeypatch.setattr(sys, "argv", ["gpu_check", "--out", str(tmp_path), "--rounds", "3"])
    with pytest.raises(SystemExit) as ending:
        gpu_check.main()
    assert ending.value.code == 1
    found = json.loads((tmp_path / "check.json").read_text())
    assert {name: step["exit"] for name, step in found["steps"].items()} == {
        "tests": 1, "benchmark": 0,
    }  # fmt: skip
    assert (tmp_path / "benchmark.log").read_text() == "['--rounds', '3']\n"


ECHO = [sys.executable, "-c", "import sys; print(sys.argv[1:])"]


def test_a_step_whose_packages_are_missing_is_left_out(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lacking = ("numpy", "no_such_package", "no_such.module")
    monkeypatch.setattr(gpu_check, "NEEDED", {"tests": lacking, "benchmark": ("numpy",)})
    known = "print(open('check.json').read())"  # what there is when the second step runs
    monkeypatch.setattr(gpu_check, "steps", lambda *_: [python("", 60), speed(known)])
    monkeypatch.setattr(sys, "argv", ["gpu_check", "--out", str(tmp_path)])
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ending:
        gpu_check.main()
    assert ending.value.code == 1
    found = json.loads((tmp_path / "check.json").read_text())["steps"]
    assert found["tests"]["missing"] == ["no_such_package", "no_such.module"]
    assert found["benchmark"]["exit"] == 0
    assert '"no_such.module"' in (tmp_path / "benchmark.log").read_text()


def speed(code: str) -> Step:
    return python(code, 60)._replace(name="benchmark")


FAULTY = """
import sys, types
import pytest

def refuse():
    raise RuntimeError("CUDA error: an illegal memory access was encountered")

def test_fault():
    cuda = types.SimpleNamespace(is_initialized=lambda: True, synchronize=refuse)
    sys.modules["torch"] = types.SimpleNamespace(cuda=cuda)

@pytest.mark.parametrize("n", range(40))
def test_other(n):
    assert "torch" not in sys.modules, "this worker has lost its device"
"""


def test_a_worker_that_lost_the_device_and_a_file_that_does_not_load_cost_no_other_test(
    tmp_path: pathlib.Path,
) -> None:
    tests, _ = gpu_check.steps(tmp_path, 2, (60, 60), [])
    (tmp_path / "test_faulty.py").write_text(FAULTY)
    (tmp_path / "test_broken.py").write_text("import no_such_package")
    kept = [word for word in tests.command if word not in gpu_check.TESTS]
    files = [str(tmp_path / f"test_{name}.py") for name in ("faulty", "broken")]
    where = ["--rootdir", str(tmp_path), "-c", "/dev/null", "-p", "no:cacheprovider"]
    ended = run(tests._replace(command=[*kept, *where, *files]), tmp_path)
    found = outcomes(tmp_path / "tests.xml")
    assert (ended["exit"], ended["timed_out"], found["passed"]) == (1, False, 41)
    assert sorted(name.split("::")[-1] for name in found["failed"]) == ["test_broken", "test_fault"]


def test_every_step_names_files_that_exist(tmp_path: pathlib.Path) -> None:
    root = pathlib.Path(gpu_check.__file__).parent.parent
    tests, speed = gpu_check.steps(tmp_path, 4, (300, 100), ["--rounds", "3"])
    assert all((root / name).is_file() for name in gpu_check.TESTS)
    assert set(gpu_check.TESTS) < set(tests.command)
    assert speed.command[-2:] == ["--rounds", "3"]
    assert len(gpu_check.WRITTEN) <= 8
