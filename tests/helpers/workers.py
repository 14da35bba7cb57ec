"""Starts ``bioner-train`` as the workers of a cluster on this machine."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple


class Ended(NamedTuple):
    """How a process ended."""

    code: int
    out: str
    err: str


def tf_configs(workers: int) -> list[str]:
    """Returns a ``TF_CONFIG`` for each worker of a new cluster."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(workers)]
        for each in sockets:
            each.bind(("localhost", 0))
        addresses = [f"localhost:{each.getsockname()[1]}" for each in sockets]
    return [
        json.dumps({"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}})
        for index in range(workers)
    ]


@contextlib.contextmanager
def training_workers(flags: Sequence[Sequence[str]]) -> Iterator[list[subprocess.Popen]]:
    """Runs ``bioner-train`` with each of ``flags`` as a worker; kills what runs at the end."""
    processes = []
    try:
        for own_flags, config in zip(flags, tf_configs(len(flags))):
            processes.append(
                subprocess.Popen(
                    [sys.executable, "-m", "bioner_tf.cli.train", *own_flags],
                    env={**os.environ, "TF_CONFIG": config},
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    text=True,
                )
            )
        yield processes
    finally:
        for process in processes:
            process.kill()
            process.communicate()


def wait_for_all(processes: Sequence[subprocess.Popen], seconds: float) -> list[Ended]:
    """Waits for each process for so long at most."""
    outputs = [process.communicate(timeout=seconds) for process in processes]
    return [Ended(process.returncode, *texts) for process, texts in zip(processes, outputs)]


def files_of(directory: Path) -> dict[str, bytes]:
    """Returns the content of all files of a directory by name."""
    return {path.name: path.read_bytes() for path in directory.iterdir() if path.is_file()}
