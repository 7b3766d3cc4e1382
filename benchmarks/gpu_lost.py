"""Whether this process still has its device: after a fault in a kernel CUDA refuses all further
work of a process.
"""

import sys


def lost() -> bool:
    """Whether the device refuses what has to succeed."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_initialized():
        return False
    try:
        torch.cuda.synchronize()
    except RuntimeError:
        return True
    return False
