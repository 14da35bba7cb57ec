"""Trains an experiment: every combination of structures, corpora, vectors, seeds and the like.

Each cell is a run directory of bioner-train below --sweep_dir. Started again, finished cells are
skipped and interrupted ones go on. flags/table2.flags to table7.flags and grid.flags hold the
paper's experiments; flags given after a flagfile replace its own.
"""

from __future__ import annotations

import math

from absl import flags

from bioner_tf.cli import app
from bioner_tf.config import STRUCTURES, TRAIN_ON, ModelConfig, TrainingConfig
from bioner_tf.errors import BionerError, UsageError
from bioner_tf.experiments.sweeps.cell_process import LOG_FILE
from bioner_tf.experiments.sweeps.cell_state import FAILED, Outcome
from bioner_tf.experiments.sweeps.cluster import Cluster, run_cells_on_ray
from bioner_tf.experiments.sweeps.listing import list_cells
from bioner_tf.experiments.sweeps.local import Resources, run_cells
from bioner_tf.experiments.sweeps.plan import Cell, Plan, parse_shard, select_cells

LOCAL, RAY = "local", "ray"
_LARGEST_SEED = 2**32 - 1

_MODEL = ModelConfig()
_TRAINING = TrainingConfig()

SWEEP_DIR = flags.DEFINE_string(
    "sweep_dir", "sweep", "The directory of the run directories; experiments may share one."
)
DATA_DIR = flags.DEFINE_string("data_dir", "corpora", "Where the corpora are.")
VECTORS_DIR = flags.DEFINE_string("vectors_dir", "vectors", "Where the files of --vectors are.")
CELL_STRUCTURES = flags.DEFINE_list(
    "structures", [_MODEL.structure], f"Some of {', '.join(STRUCTURES)}."
)
MAINS = flags.DEFINE_list("mains", [], "Main corpora, each trained with each of --auxiliaries.")
AUXILIARIES = flags.DEFINE_list("auxiliaries", [], "Auxiliary corpora; single_task needs none.")
PAIRS = flags.DEFINE_list(
    "pairs", [], "Corpora that belong together, each MAIN+AUXILIARY or MAIN+AUX1+AUX2."
)
TYPES = flags.DEFINE_list(
    "types", [""], "Entity types to keep, each CORPUS:TypeA+TypeB; an empty one keeps all."
)
FRACTIONS = flags.DEFINE_list(
    "fractions", ["1"], "Shares of the main corpus's training sentences to keep."
)
VECTORS = flags.DEFINE_list("vectors", [""], "Files of word vectors; an empty one: random vectors.")
ALPHAS = flags.DEFINE_list(
    "alphas", [str(_TRAINING.alpha)], "Weights of the adversarial loss (adversarial only)."
)
BETAS = flags.DEFINE_list(
    "betas", [str(_TRAINING.beta)], "Weights of the difference loss (adversarial only)."
)
CELL_CRFS = flags.DEFINE_list("crfs", [_MODEL.crf], "Kinds of CRF: static, pairwise.")
SEEDS = flags.DEFINE_list("seeds", [str(_TRAINING.seed)], "Seeds.")
EPOCHS = flags.DEFINE_integer("epochs", _TRAINING.epochs, "Epochs of every cell.", lower_bound=1)
SPLITS = flags.DEFINE_enum("train_on", "train,devel", TRAIN_ON, "What every cell learns from.")
EXTRA = flags.DEFINE_multi_string(
    "train_flag", [], "Another flag of bioner-train for every cell, like batch_size=8."
)
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
    "",
    "With --executor=ray, the cluster: auto (the one that this machine is part of) or host:port; "
    "local: a Ray for this sweep alone. Empty: $RAY_ADDRESS if that is set, else local.",
)
CELL_CORES = flags.DEFINE_integer(
    "cell_cores", 1, "With --executor=ray, the cores that a cell asks for.", lower_bound=1
)
CELL_GPUS = flags.DEFINE_float(
    "cell_gpus", 0, "With --executor=ray, the GPUs that a cell asks for, like 1 or 0.5.", 0
)
DRY_RUN = flags.DEFINE_bool("dry_run", False, "List the cells and the hours that they will take.")


def plan_from_flags() -> Plan:
    """Returns the experiment that the flags describe."""
    return Plan(
        structures=CELL_STRUCTURES.value,
        mains=MAINS.value,
        auxiliaries=AUXILIARIES.value,
        pairs=[tuple(pair.split("+")) for pair in PAIRS.value],
        types=TYPES.value or [""],
        fractions=_numbers("fractions", FRACTIONS.value),
        vectors=VECTORS.value or [""],
        alphas=_numbers("alphas", ALPHAS.value),
        betas=_numbers("betas", BETAS.value),
        crfs=CELL_CRFS.value,
        seeds=_seeds(SEEDS.value),
        epochs=EPOCHS.value,
        train_on=SPLITS.value,
        extra=_extra_flags(EXTRA.value),
    )


def _numbers(flag: str, values: list[str]) -> list[float]:
    try:
        numbers = [float(value) for value in values]
    except ValueError:
        numbers = [math.nan]
    if not all(map(math.isfinite, numbers)):
        raise UsageError(f"--{flag}: expected numbers, got {','.join(values)!r}")
    return numbers


def _seeds(values: list[str]) -> list[int]:
    if not all(value.strip().isdecimal() and int(value) <= _LARGEST_SEED for value in values):
        raise UsageError(
            f"--seeds: expected whole numbers from 0 to {_LARGEST_SEED}, got {','.join(values)!r}"
        )
    return [int(value) for value in values]


def _extra_flags(values: list[str]) -> dict[str, str]:
    for value in values:
        if "=" not in value:
            raise UsageError(f"--train_flag: expected name=value, got {value!r}")
    pairs = (value.lstrip("-").partition("=") for value in values)
    return {name: value for name, _, value in pairs}


def cluster_from_flags() -> Cluster | None:
    """Returns where Ray runs the cells, as the flags say; None where processes here do.

    Raises:
        UsageError: A flag means nothing to the executor.
    """
    if EXECUTOR.value == RAY:
        return Cluster(
            RAY_ADDRESS.value, JOBS.value, CORES.value, CELL_CORES.value, CELL_GPUS.value
        )
    for flag in (RAY_ADDRESS, CELL_CORES, CELL_GPUS):
        if flag.present:
            raise UsageError(
                f"--{flag.name}: expected --executor={RAY} beside it, got {EXECUTOR.value}; there, "
                "--jobs share --cores"
            )
    return None


def run(cells: list[Cell], cluster: Cluster | None) -> list[Outcome]:
    """Trains cells on a cluster or, where that is None, here; returns what came out."""

    def tell(line: str) -> None:
        print(line, flush=True)

    places = DATA_DIR.value, VECTORS_DIR.value
    if cluster is not None:
        return run_cells_on_ray(SWEEP_DIR.value, cells, cluster, *places, RETRIES.value, tell)
    resources = Resources(*places, JOBS.value or 1, CORES.value, RETRIES.value)
    return run_cells(SWEEP_DIR.value, cells, resources, tell)


def main(argv: list[str]) -> None:
    """Trains the cells or lists them."""
    del argv
    cells = select_cells(
        plan_from_flags().cells(), ONLY.value, parse_shard(SHARD.value), MAX_CELLS.value
    )
    cluster = cluster_from_flags()
    if DRY_RUN.value:
        print(list_cells(SWEEP_DIR.value, cells, DATA_DIR.value, VECTORS_DIR.value))
        return
    outcomes = run(cells, cluster)
    failed = [outcome for outcome in outcomes if outcome.result == FAILED]
    if failed:
        raise BionerError(
            f"{len(failed)} of {len(cells)} cells failed, the first of them {failed[0].cell.name}: "
            f"{failed[0].error}; see {LOG_FILE} there, and start again what is to be repeated"
        )


def entry() -> None:
    """The console script ``bioner-sweep``."""
    app.run(main)


if __name__ == "__main__":
    entry()
