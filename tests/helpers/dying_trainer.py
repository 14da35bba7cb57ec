"""bioner-train that kills itself in the second epoch of its first start in a run directory."""

from __future__ import annotations

import os
import runpy
import signal
import sys
from pathlib import Path


def main() -> None:
    [run_dir] = [Path(a.partition("=")[2]) for a in sys.argv[1:] if a.startswith("--run_dir=")]
    if not (run_dir / "metrics.jsonl").exists():
        from bioner_tf.training.callbacks.progress import TrainingProgress

        def die(progress: TrainingProgress, epoch: int, logs: object = None) -> None:
            if epoch == 1:
                os.kill(os.getpid(), signal.SIGKILL)
            begin(progress, epoch, logs)

        begin, TrainingProgress.on_epoch_begin = TrainingProgress.on_epoch_begin, die
    runpy.run_module("bioner_tf.cli.train", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
