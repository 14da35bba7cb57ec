"""Trains an experiment: every combination of structures, corpora, vectors, seeds and the like.

Each cell is a run directory of bioner-train below --sweep_dir. Started again, finished cells are
skipped and interrupted ones go on. flags/table2.flags to table7.flags and grid.flags hold the
paper's experiments; flags given after a flagfile replace its own.
"""

from __future__ import annotations

from absl import flags

from bioner_tf.cli import app
from bioner_tf.config import TRAIN_ON, TrainingConfig
from bioner_tf.experiments.sweeps.cluster import LOCAL, RAY, choose_cluster
from bioner_tf.experiments.sweeps.listing import list_cells
from bioner_tf.experiments.sweeps.local import Resources
from bioner_tf.experiments.sweeps.plan import (
    DIMENSIONS,
    parse_shard,
    plan_from_flags,
    select_cells,
)
from bioner_tf.experiments.sweeps.train import train_cells


def _define_dimension(name: str, note: str = "") -> flags.FlagHolder:
    """Defines the flag that lists the values of a setting; its default is the setting's."""
    setting = DIMENSIONS[name]
    parts = [f"Values of bioner-train's --{setting.name}: {setting.metadata['help']}"]
    if choices := setting.metadata["choices"]:
        parts.append(f"Some of {', '.join(choices)}.")
    default = str(setting.default) if isinstance(setting.default, (str, int, float)) else ""
    return flags.DEFINE_list(name, [default], " ".join([*parts, note]).strip())


SWEEP_DIR = flags.DEFINE_string(
    "sweep_dir", "sweep", "The directory of the run directories; experiments may share one."
)
DATA_DIR = flags.DEFINE_string("data_dir", "corpora", "Where the corpora are.")
VECTORS_DIR = flags.DEFINE_string("vectors_dir", "vectors", "Where the files of --vectors are.")
PLAN = {
    "structures": _define_dimension("structures"),
    "mains": flags.DEFINE_list(
        "mains", [], "Main corpora, each trained with each of --auxiliaries."
    ),
    "auxiliaries": flags.DEFINE_list(
        "auxiliaries", [], "Auxiliary corpora; single_task needs none."
    ),
    "pairs": flags.DEFINE_list(
        "pairs", [], "Corpora that belong together, each MAIN+AUXILIARY or MAIN+AUX1+AUX2."
    ),
    "types": _define_dimension("types", "An empty value keeps all."),
    "keep_fractions": _define_dimension("keep_fractions"),
    "vectors": _define_dimension("vectors"),
    "alphas": _define_dimension("alphas", "For adversarial only."),
    "betas": _define_dimension("betas", "For adversarial only."),
    "crfs": _define_dimension("crfs"),
    "seeds": _define_dimension("seeds"),
    "epochs": flags.DEFINE_integer(
        "epochs", TrainingConfig.epochs, "Epochs of every cell.", lower_bound=1
    ),
    "train_on": flags.DEFINE_enum(
        "train_on", "train,devel", TRAIN_ON, "What every cell learns from."
    ),
    "train_flag": flags.DEFINE_multi_string(
        "train_flag", [], "Another flag of bioner-train for every cell, like batch_size=8."
    ),
}
ONLY = flags.DEFINE_list(
    "only", [], "Only cells with one of these in their names; * and ? stand for anything."
)
MAX_CELLS = flags.DEFINE_integer("max_cells", None, "Only the first so many.", lower_bound=1)
SHARD = flags.DEFINE_string("shard", "1/1", "Only the i-th of n parts, like 2/8 (for job arrays).")
RETRIES = flags.DEFINE_integer(
    "retries", 0, "How often a cell that failed is started again.", lower_bound=0
)
EXECUTOR = flags.DEFINE_enum(
    "executor",
    LOCAL,
    [LOCAL, RAY],
    "What runs the cells: processes of this machine, or Ray, here or on a cluster (extra ray).",
)
JOBS = flags.DEFINE_integer(
    "jobs",
    None,
    "Cells that are trained at once; by default one, with Ray as many as it has room for.",
    lower_bound=1,
)
CORES = flags.DEFINE_integer(
    "cores",
    None,
    "Cores of this machine that all cells share; by default all. A cluster has its own.",
    lower_bound=1,
)
RAY_ADDRESS = flags.DEFINE_string(
    "ray_address",
    None,
    "With --executor=ray, the cluster: auto (the one that this machine is part of) or host:port; "
    "local: a Ray for this sweep alone. By default $RAY_ADDRESS if that is set, else local.",
)
CELL_CORES = flags.DEFINE_integer(
    "cell_cores",
    None,
    "With --executor=ray, the cores that a cell asks for; by default 1.",
    lower_bound=1,
)
CELL_GPUS = flags.DEFINE_float(
    "cell_gpus",
    None,
    "With --executor=ray, the GPUs that a cell asks for, like 1 or 0.5; by default none.",
    lower_bound=0,
)
DRY_RUN = flags.DEFINE_bool("dry_run", False, "List the cells and the hours that they will take.")


def main(argv: list[str]) -> None:
    """Trains the cells or lists them."""
    del argv
    plan = plan_from_flags({name: flag.value for name, flag in PLAN.items()})
    cells = select_cells(plan.cells(), ONLY.value, parse_shard(SHARD.value), MAX_CELLS.value)
    asked = (RAY_ADDRESS, CELL_CORES, CELL_GPUS)
    cluster = choose_cluster(EXECUTOR.value, JOBS.value, CORES.value, *(f.value for f in asked))
    if DRY_RUN.value:
        print(list_cells(SWEEP_DIR.value, cells, DATA_DIR.value, VECTORS_DIR.value))
        return
    resources = Resources(
        DATA_DIR.value, VECTORS_DIR.value, JOBS.value or 1, CORES.value, RETRIES.value
    )
    train_cells(SWEEP_DIR.value, cells, resources, cluster, lambda line: print(line, flush=True))


entry = app.command(main)

if __name__ == "__main__":
    entry()
