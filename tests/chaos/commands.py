"""Runs commands in forks of one process that has imported TensorFlow; each may be killed.

Reads a JSON object a line: ``command``, ``arguments``, ``log``, ``kill_at``, the number of the file
operation to be killed at (0: never), and ``kill_after``, the seconds after which it is killed (0:
never). Prints ``[exit code, file operations]``. LD_PRELOAD must name the library of ``kill_at.c``.
"""

from __future__ import annotations

import ctypes
import importlib
import json
import os
import signal
import sys
import threading
import traceback


def run(job: dict) -> int:
    log = os.open(job["log"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    os.dup2(log, 1)
    os.dup2(log, 2)
    sys.argv = [f"bioner-{job['command']}", *job["arguments"]]
    module = importlib.import_module(f"bioner_tf.cli.{job['command']}")
    shim = ctypes.CDLL(None)
    shim.chaos_arm(ctypes.c_long(job["kill_at"]))
    try:
        module.entry()
    except SystemExit as leaving:
        code = leaving.code or 0
    except BaseException:
        traceback.print_exc()
        code = 99
    count = shim.chaos_count()
    with open(f"{job['log']}.count", "w") as stream:
        stream.write(str(count))
    sys.stdout.flush()
    return code


def main() -> None:
    import bioner_tf.training.run
    import bioner_tf.training.trained_run  # noqa: F401

    for line in sys.stdin:
        job = json.loads(line)
        child = os.fork()
        if child == 0:
            os._exit(run(job))
        timer = threading.Timer(job["kill_after"], os.kill, (child, signal.SIGKILL))
        if job["kill_after"]:
            timer.start()
        # Not reaped before the timer is off: until then its number is no other process's.
        os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
        timer.cancel()
        if job["kill_after"]:
            timer.join()
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        count = 0
        if code >= 0:
            with open(f"{job['log']}.count") as stream:
                count = int(stream.read())
        print(json.dumps([code, count]), flush=True)


if __name__ == "__main__":
    main()
