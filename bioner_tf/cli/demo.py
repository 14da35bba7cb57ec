"""Writes two small corpora of our own and an example text, to try the other commands on."""

from __future__ import annotations

from pathlib import Path

from absl import flags

from bioner_tf.cli import app

_DATA_DIR = flags.DEFINE_string("data_dir", "demo", "Where to write; made when missing.")
_SEED = flags.DEFINE_integer("seed", 1, "Another seed draws other sentences.", lower_bound=0)


def main(argv: list[str]) -> None:
    """Writes the demo and says what can be done with it."""
    del argv  # only the program's name: every setting is a flag
    from bioner_tf.corpora import demo

    data_dir = Path(_DATA_DIR.value)
    for path in demo.write_demo(data_dir, _SEED.value):
        print(path)
    corpora = ",".join(corpus.name for corpus in demo.CORPORA)
    print(
        f"\nTrain on them:\n  bioner-train --structure=cross_sharing --data_dir={data_dir} "
        f"--corpora={corpora} --run_dir=runs/demo --epochs=8"
    )


entry = app.command(main)

if __name__ == "__main__":
    entry()
