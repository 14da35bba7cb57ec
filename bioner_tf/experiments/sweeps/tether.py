"""Runs a module as a program that is killed when its stdin closes.

``python -m bioner_tf.experiments.sweeps.tether MODULE [ARGUMENT ...]`` does the same as
``python -m MODULE [ARGUMENT ...]``. The parent keeps the other end of the pipe. When the parent
ends for any reason, the pipe closes and the program is killed, so that no trainer is left behind
that holds the lock of its run directory.
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
import threading


def _die_with_parent() -> None:
    while os.read(0, 1024):
        pass
    # SIGKILL cannot fail or be delayed, and a run survives being killed at any instant.
    os.kill(os.getpid(), signal.SIGKILL)


def main() -> None:
    """Runs the module that the first argument names."""
    threading.Thread(target=_die_with_parent, daemon=True).start()
    del sys.argv[0]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
