"""Stands in for bioner-train, as a program: leaves run directories behind and trains nothing.

Where a corpus is called "bad" it fails; where it is "slow" it waits in the middle, and where it is
"once" only if nothing is trained yet. It goes on from the epochs that are there.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from bioner_tf.runs.directory import RunDirectory
from bioner_tf.runs.history import read_history
from tests.helpers.run_records import write_run


def main() -> None:
    flags = dict(argument.lstrip("-").split("=", 1) for argument in sys.argv[1:])
    run = RunDirectory(Path(flags["run_dir"]))
    corpora = tuple(flags["corpora"].split(","))
    epochs = int(flags["epochs"])
    if "bad" in corpora:
        print("some output", file=sys.stderr)
        sys.exit("error: bad/train.tsv:7: expected a tag")
    done = len(read_history(run.metrics))
    print("went on after", done, flush=True)
    if "slow" in corpora or ("once" in corpora and not done):
        write_run(run.root, corpora=corpora, f1=None, epochs=epochs, epochs_done=1)
        time.sleep(60)
    write_run(run.root, flags["structure"], corpora, 0.5, epochs=epochs)


if __name__ == "__main__":
    main()
