"""Children that do not outlive their parent."""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def die_with(parent_pid: int) -> None:
    """To be called in a child: it gets SIGTERM when its parent dies, however that dies.

    Linux only; elsewhere a killed parent leaves its children to be stopped by hand.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent_pid:  # It died before it could be asked for.
            os.kill(os.getpid(), signal.SIGTERM)
