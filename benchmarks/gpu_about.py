"""What a run on a GPU was made with: device, driver, versions, and why a backend is absent."""

import datetime
import importlib.metadata
import subprocess

import torch

import numformats as nf

PACKAGES = ("torch", "cupy-cuda13x", "cupy-cuda12x", "numba", "numba-cuda", "numpy")


def driver() -> str:
    """The version of the NVIDIA driver."""
    command = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True)
        return done.stdout.splitlines()[0].strip()
    except (OSError, subprocess.SubprocessError, IndexError) as error:
        return f"not known ({type(error).__name__} of nvidia-smi)"


def version(name: str) -> str:
    """The version of a distribution, or nothing."""
    try:
        return f"{name} {importlib.metadata.version(name)}"
    except importlib.metadata.PackageNotFoundError:
        return ""


def about(elements: int, backends: list[str]) -> dict[str, str]:
    """What was measured, and where."""
    major, minor = torch.cuda.get_device_capability()
    versions = [f"numformats {nf.__version__}", *filter(None, map(version, PACKAGES))]
    absent = {n: b.reason for n, b in nf.backends().items() if not b.available}
    return {
        "device": f"{torch.cuda.get_device_name()} (sm_{major}{minor})",
        "driver": driver(),
        "CUDA of torch": str(torch.version.cuda),
        "date": datetime.date.today().isoformat(),
        "elements": f"{elements} float32 ({elements / (1 << 28):.3g} GiB)",
        "versions": ", ".join(versions),
        "backends": ", ".join(backends),
        **{f"without {name}": why for name, why in absent.items()},
    }
