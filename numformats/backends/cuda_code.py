"""Machine code of the CUDA C++ source: how NVRTC is asked for it, and where it is kept on disk, in
the folder of ``emitted.py``.
"""

import hashlib
from collections.abc import Callable
from pathlib import Path

from numformats.backends.emitted import cache_folder, put_whole

# Subnormals count, and what the texts write as two operations is not contracted to one.
OPTIONS = ("-std=c++20", "--fmad=false", "-ftz=false", "-prec-div=true", "-prec-sqrt=true")


def on_disk(source: str, target: str, compiled: Callable[[], bytes]) -> Path:
    """The file with the machine code of ``source`` for ``target`` (processor and compiler), made by
    ``compiled`` where there is none yet."""
    key = "\n".join([target, *OPTIONS, source])
    path = cache_folder() / f"cuda_{hashlib.sha256(key.encode()).hexdigest()[:20]}.cubin"
    if not path.exists():
        put_whole(path, compiled())
    return path
