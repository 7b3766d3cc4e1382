"""Law: the GPU benchmark measures every case on every backend and writes what it has; seen with
host backends under the names of the CUDA ones.
"""

from __future__ import annotations

import json
import pathlib
import subprocess
import sys
import time
from types import SimpleNamespace
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="torch is missing; install the extra torch")

from benchmarks import gpu, gpu_about, gpu_tables  # noqa: E402
from numformats.backends import numba_cpu, reference  # noqa: E402

REGISTRY = sys.modules["numformats.backends"]
BROKEN = "cudaErrorIllegalAddress: an illegal memory access was encountered"


class Event:
    """A clock in the place of an event of the device."""

    def __init__(self, enable_timing: bool) -> None:
        assert enable_timing

    def record(self) -> None:
        self.at = time.perf_counter()

    def synchronize(self) -> None:
        pass

    def elapsed_time(self, end: Event) -> float:
        return 1000 * (end.at - self.at)


class Without:
    """A backend that fails in ``name``."""

    def __init__(self, module: Any, name: str) -> None:
        self.module, self.name = module, name

    def __getattr__(self, name: str) -> Any:
        if name == self.name:
            raise RuntimeError(BROKEN)
        return getattr(self.module, name)


@pytest.fixture(autouse=True)
def on_the_host(monkeypatch: pytest.MonkeyPatch) -> Any:
    def anywhere(make: Any) -> Any:
        return lambda *shape, device: make(*shape)

    found = REGISTRY.Availability(True, "")
    modules = {"cupy_cuda": numba_cpu, "numba_cuda": Without(reference, "scaled")}
    for name, module in modules.items():
        monkeypatch.setitem(REGISTRY._BACKENDS, name, REGISTRY.Backend("host", lambda: found))
        monkeypatch.setitem(sys.modules, f"numformats.backends.{name}", module)
    monkeypatch.setattr(torch, "randn", anywhere(torch.randn))
    monkeypatch.setattr(torch, "empty", anywhere(torch.empty))
    device = SimpleNamespace(
        Event=Event,
        synchronize=lambda: None,
        is_initialized=lambda: True,
        get_device_capability=lambda: (9, 0),
        get_device_name=lambda: "NVIDIA H100 80GB HBM3",
    )
    monkeypatch.setattr(torch, "cuda", device)
    REGISTRY.selected.cache_clear()
    yield
    REGISTRY.selected.cache_clear()


def test_what_is_measured_is_written(
    monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    out = tmp_path / "gpu-check"
    sizes = ["--elements", "512", "--rounds", "1", "--size", "16"]
    monkeypatch.setattr(sys, "argv", ["gpu", "--out", str(out), *sizes])
    monkeypatch.setattr(gpu, "launch_microseconds", lambda backend: 12.5)
    gpu.main()
    found, text = json.loads((out / "gpu.json").read_text()), (out / "gpu.md").read_text()
    cases = {(r["format"], r["rounding"], r["backend"]) for r in found["rows"]}
    backends = ("cupy_cuda", "numba_cuda")
    assert cases == {(f, mode, b) for f, mode, _ in gpu.CASES for b in backends}
    failed = [r for r in found["rows"] if "error" in r]
    which = [("nvfp4", "numba_cuda"), ("nvfp4, scale given", "numba_cuda")]
    assert [(r["format"], r["backend"]) for r in failed] == which * 2
    assert BROKEN in failed[0]["error"]
    assert failed[0]["held"] is False
    assert all(r["gigabytes_per_second"] > 0 for r in found["rows"] if r not in failed)
    assert len(found["products"]) == 2 * len(gpu.PRODUCTS)
    assert all(r["multiply_adds_per_second"] > 0 for r in found["products"])
    assert [r["held"] for r in found["calls"][:1]] == [True]
    assert f"* nvfp4 nearest_even numba_cuda: RuntimeError: {BROKEN}" in text
    assert "| cupy_cuda | 12.5 | 15 | yes |" in text
    assert "* device: NVIDIA H100 80GB HBM3 (sm_90)" in text
    assert "* driver: " in text


def test_it_needs_no_package_of_the_tests() -> None:
    """``make gpu-check`` runs it where pytest is missing."""
    lacking = "import sys; sys.modules.update(dict.fromkeys(['pytest', 'ml_dtypes', 'hypothesis']))"
    subprocess.run([sys.executable, "-c", f"{lacking}; import benchmarks.gpu"], check=True)


def test_small_calls_are_timed() -> None:
    ((given, measure),) = gpu.calls(["cupy_cuda"])
    row = gpu.attempted(given, measure)
    assert row["microseconds"] > 0
    assert row["held"] == (row["microseconds"] < gpu_tables.LAUNCH_BAR)


def test_what_was_measured_before_an_end_is_written(
    monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    """A part that cannot begin costs none of the others; a run whose time is over, none before."""
    left = [{"share": 1.0}, {"share": 0.9}]

    def bandwidth(*_: Any) -> Any:
        if not left:
            raise KeyboardInterrupt
        return {"gigabytes_per_second": 1.0, "copy_gigabytes_per_second": 1.0} | left.pop()

    def broken(backend: Any) -> Any:
        raise RuntimeError(BROKEN)

    monkeypatch.setattr(sys, "argv", ["gpu", "--out", str(tmp_path), "--elements", "512"])
    monkeypatch.setattr(gpu, "bandwidth", bandwidth)
    monkeypatch.setattr(gpu, "calls", broken)
    with pytest.raises(KeyboardInterrupt):
        gpu.main()
    found, text = json.loads((tmp_path / "gpu.json").read_text()), (tmp_path / "gpu.md").read_text()
    assert [r["share"] for r in found["rows"]] == [0.9, 1.0]
    assert found["about"]["calls ended early"] == f"RuntimeError: {BROKEN}"
    assert "| e4m3 | nearest_even | numba_cuda | 1 | 1 | 1.00 |" in text


def test_a_case_that_costs_the_device_costs_no_other(
    monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    """Once a kernel has faulted, nothing succeeds in its process."""
    rest = {"gigabytes_per_second": 1.0, "copy_gigabytes_per_second": 1.0, "share": 1.0}
    broken: list[str] = []

    def bandwidth(case: Any, *_: Any) -> Any:
        if broken or (case.args[1:3] == ("e5m2", "nearest_even") and not again):
            broken.append("a process")
            raise RuntimeError(BROKEN)
        return rest

    def execv(path: str, command: list[str]) -> None:
        again.append(command)
        raise SystemExit

    again: list[list[str]] = []
    sizes = ["--elements", "512", "--size", "16"]
    monkeypatch.setattr(sys, "argv", ["gpu", "--out", str(tmp_path), *sizes])
    monkeypatch.setattr(gpu, "bandwidth", bandwidth)
    monkeypatch.setattr(gpu, "launch_microseconds", lambda backend: 12.5)
    monkeypatch.setattr(gpu, "product_rate", lambda *_: {"multiply_adds_per_second": 1e11})
    monkeypatch.setattr(gpu, "lost", lambda: bool(broken))
    monkeypatch.setattr(gpu.os, "execv", execv)
    with pytest.raises(SystemExit):
        gpu.main()
    broken.clear()
    monkeypatch.setattr(sys, "argv", again[0][2:])
    gpu.main()
    found = json.loads((tmp_path / "gpu.json").read_text())
    assert len(found["rows"]) == 2 * len(gpu.CASES)
    assert [(r["format"], r["backend"]) for r in found["rows"] if "error" in r] == [
        ("e5m2", "cupy_cuda")
    ]
    assert len(again) == 1
    assert len(found["calls"]) == 2


@pytest.mark.parametrize(
    "best, other, held",
    [(0.95, 0.70, (True, True)), (0.89, 0.62, (False, False)), (0.89, 0.63, (False, True))],
)
def test_rows_are_held_to_their_bars(best: float, other: float, held: Any) -> None:
    same = {"format": "e4m3", "rounding": "nearest_even", "bar": 0.9}
    rows = [same | {"backend": "cupy_cuda", "share": best}]
    rows.append(same | {"backend": "numba_cuda", "share": other})
    assert tuple(r["held"] for r in gpu_tables.judged(rows, "share")) == held


def test_a_driver_that_does_not_answer_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert gpu_about.driver() == "not known (FileNotFoundError of nvidia-smi)"
