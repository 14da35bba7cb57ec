"""Every command is given damaged versions of every file that it reads.

It must end with one clear line, or with the result that it has without the damage.
"""

from __future__ import annotations

import dataclasses
import json
import os
import random
import shutil
import zipfile
from pathlib import Path

import pytest

from bioner_tf.config import RunConfig
from bioner_tf.corpora.fetch import sources
from tests.helpers.commands import run_lines
from tests.helpers.finished_run import shared_run
from tests.helpers.synthetic_corpora import flags_of

CONFIG, CORPORA, REPORT, HISTORY = "config.json", "corpora.json", "report.json", "metrics.jsonl"
VOCABULARY = [f"vocabulary/{n}.txt" for n in ("words", "characters", "tags.genes", "tags.mixed")]
CHECKPOINT = ["state.index", "state.data-00000-of-00001"]
PREDICTIONS = ["predictions/genes.test.tsv"]
EXPORT = [
    "saved_model.pb",
    "variables/variables.index",
    "variables/variables.data-00000-of-00001",
    "assets/words.txt",
    "assets/characters.txt",
    "assets.extra/tagger.metadata",
    "assets.extra/tf_serving_warmup_requests",
    "README.md",
    "assets.extra/SHA256SUMS",
]
SUMS = "SHA256SUMS"
JUNK = [None, True, -1, 0, 2**70, 1e308, float("nan"), float("inf"), "", "x\ny", "é", [], {}]
JUNK += [[{"a": 1}], "9" * 400, [[]] * 3]


@dataclasses.dataclass(frozen=True)
class Case:
    """A command, the files that it reads, and the files that are its result beside its output.

    Paths are below the directory that holds run, data, mirror and so on; so are those in the flags,
    which begin with ROOT. Inputs are files whose content decides the result.
    """

    command: str
    flags: tuple[str, ...]
    files: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()
    results: tuple[str, ...] = ()


def in_run(*names):
    return tuple(f"run/{name}" for name in names)


RECORD = in_run(CONFIG, CORPORA, REPORT, HISTORY, SUMS)
SAVED = in_run(*(f"export/1/{name}" for name in EXPORT))
LAST = in_run(*(f"checkpoints/epoch-0003/{name}" for name in CHECKPOINT))
SPLITS = tuple(f"data/{name}/{split}.tsv" for name in ("genes", "mixed") for split in ("train",))
CASES = {
    "ended": Case(
        "train", ("TRAIN",), (*RECORD, *in_run(*VOCABULARY)), results=("run/config.json",)
    ),
    "resumed": Case(
        "train",
        ("TRAIN", "--epochs=4"),
        (*RECORD, *LAST, *in_run(*VOCABULARY)),
        (*SPLITS, "vectors.txt"),
        ("run/report.json", "run/predictions/genes.test.tsv"),
    ),
    "begun": Case(
        "train", ("TRAIN", "--run_dir=ROOT/new", "--epochs=0"), (), (*SPLITS, "vectors.txt")
    ),
    "flagfile": Case("train", ("TRAIN", "--flagfile=ROOT/run/flags.txt"), (), ("run/flags.txt",)),
    "export": Case(
        "export",
        ("--run_dir=ROOT/run", "--export_dir=ROOT/exported"),
        (*RECORD, *LAST, *in_run(*VOCABULARY)),
        (),
        ("exported/1/assets.extra/SHA256SUMS",),
    ),
    "evaluate": Case(
        "evaluate",
        ("--model=ROOT/run", "--corpus_file=ROOT/data/genes/test.tsv"),
        SAVED,
        ("data/genes/test.tsv",),
    ),
    "scored": Case(
        "evaluate", ("--model=ROOT/run/predictions/genes.test.tsv",), (), in_run(*PREDICTIONS)
    ),
    "tag": Case("tag", ("--model=ROOT/run", "--input=ROOT/text.txt"), SAVED, ("text.txt",)),
    "report": Case("report", ("--sweep_dir=ROOT", "--nopictures"), (), RECORD),
    "compare": Case(
        "compare", ("--first=ROOT/run", "--second=ROOT/run"), (*RECORD, *in_run(*PREDICTIONS))
    ),
    "partner": Case(
        "partner",
        ("--data_dir=ROOT/data", "--main=genes", "--sweep_dir=ROOT"),
        (),
        (*RECORD, *SPLITS),
    ),
    "sweep": Case(
        "sweep",
        ("--sweep_dir=ROOT", "--data_dir=ROOT/data", "--pairs=genes+mixed", "--dry_run"),
        (),
        (*RECORD, *SPLITS),
    ),
    "embed": Case(
        "embed",
        ("--input=ROOT/text.txt", "--output=ROOT/v.bin", "--dim=3", "--min_count=1"),
        (),
        ("text.txt",),
    ),
    "fetch": Case(
        "fetch",
        ("--what=glove", "--from=ROOT/mirror", "--data_dir=ROOT/fetched"),
        ("fetched/SHA256SUMS",),
        ("mirror/glove.6B.zip", "fetched/NAME"),
    ),
}


# Those that do not train, export or load TensorFlow's files.
QUICK = ("begun", "ended", "flagfile", "scored", "report", "compare", "partner", "sweep", "fetch")


@pytest.fixture(scope="module")
def intact(tmp_path_factory):
    """What the commands read, undamaged."""
    root = tmp_path_factory.mktemp("damaged") / "intact"
    shutil.copytree(shared_run(tmp_path_factory).parent, root)
    (root / "text.txt").write_text("the Geneα binds Drugβ .\nfound in cells\n" * 3, "utf-8")
    (root / "mirror").mkdir()
    (root / "fetched").mkdir()
    with zipfile.ZipFile(root / "mirror" / "glove.6B.zip", "w") as archive:
        for name, inside in sources()["glove"].files.items():
            archive.writestr(inside or name, "the 1 2 3\n" * 20)
    return root


def fill(flags, root, config):
    """Writes the places into the flags of a case."""
    filled = []
    for flag in flags:
        filled += flags_of(config, root / "run") if flag == "TRAIN" else [flag]
    return [flag.replace("ROOT", str(root)) for flag in filled]


def config_in(root):
    """The settings of the run, with what it read in this copy."""
    config = RunConfig.load(root / "run" / "config.json")
    data = dataclasses.replace(
        config.data, data_dir=str(root / "data"), vectors=str(root / "vectors.txt")
    )
    return dataclasses.replace(config, data=data)


def drop_checksums(root):
    """Makes the run and its export such as earlier versions wrote."""
    for name in ("run/SHA256SUMS", "run/export/1/assets.extra/SHA256SUMS"):
        (root / name).unlink(missing_ok=True)
    metadata = root / "run/export/1/assets.extra/tagger.metadata"
    metadata.write_text(json.dumps({**json.loads(metadata.read_text("utf-8")), "format": 1}))


def drop_line(sums, name):
    lines = [x for x in sums.read_text().splitlines() if not x.endswith(f"  {name}")]
    sums.write_text("".join(f"{line}\n" for line in lines))


def copy(intact, root):
    """Copies what the commands read, and tells the run where it is now."""
    shutil.copytree(intact, root)
    config = config_in(root)
    if config != RunConfig.load(root / "run" / "config.json"):
        config.save(root / "run" / "config.json")
        drop_line(root / "run" / "SHA256SUMS", "config.json")
    return config


def places_in(value):
    """Yields every place in a JSON value: its dict or list, and the key or index in it."""
    for key in list(value) if isinstance(value, dict) else range(len(value)):
        yield value, key
        if isinstance(value[key], (dict, list)):
            yield from places_in(value[key])


def change_json(rng, content):
    """Puts a wrong value somewhere into the last line, or the whole, of JSON."""
    *lines, last = content.splitlines() if content.count(b"\n{") else [content]
    whole = [json.loads(last)]
    holder, key = rng.choice(list(places_in(whole)))
    holder[key] = rng.choice(JUNK)
    return b"\n".join([*lines, json.dumps(whole[0]).encode()])


def damage(rng, path):
    """Damages a file; returns how."""
    content = path.read_bytes()
    kinds = [
        "cut",
        "flip",
        "flip",
        "flip",
        "empty",
        "random",
        "latin",
        "directory",
        "missing",
        "nul",
    ]
    if content[:1] == b"{":
        kinds += ["json"] * 6
    if os.geteuid() != 0:
        kinds.append("closed")
    kind = rng.choice(kinds)
    place = rng.randrange(max(1, len(content)))
    changed = {
        "cut": lambda: content[:place],
        "flip": lambda: (
            content[:place] + bytes([content[place] ^ 1 << rng.randrange(8)]) + content[place + 1 :]
        ),
        "empty": lambda: b"",
        "random": lambda: rng.randbytes(rng.randrange(1, 2000)),
        "latin": lambda: content[:place] + b"\xe9\xff" + content[place:],
        "nul": lambda: content[:place] + b"\0" * 9 + content[place + 9 :],
        "json": lambda: change_json(rng, content),
    }
    if kind in changed:
        path.write_bytes(changed[kind]())
    elif kind == "closed":
        path.chmod(0)
    else:
        path.unlink()
        if kind == "directory":
            path.mkdir()
    return f"{kind} at {place}"


def outcome(case, ended, root):
    """What a command ends with, but for its place."""
    results = [(root / name).read_bytes() for name in case.results if (root / name).is_file()]
    return ended.out.replace(str(root), "ROOT"), results


def check(intact, directory, seed, number, names=tuple(CASES)):
    """Runs commands on damaged files; returns what went wrong."""
    rng = random.Random(seed)
    trials, lines, problems = [], [], []
    drawn = [rng.choice(names) for _ in range(number)]
    undamaged = sorted(set(drawn))
    for count, name in enumerate(undamaged + drawn):
        case, root = CASES[name], directory / str(count)
        config = copy(intact, root)
        told, is_old, file = "intact", False, ""
        if count >= len(undamaged):
            is_old = rng.random() < 0.4
            if is_old:
                drop_checksums(root)
            file = rng.choice([*case.files, *case.inputs])
            path = root / file.replace("NAME", next(iter(sources()["glove"].files)))
            if file.startswith("fetched"):
                path.parent.mkdir(exist_ok=True)
                path.write_text(f"{'0' * 64}  x\n")
            if not path.exists():
                continue
            told = damage(rng, path)
        lines.append([case.command, *fill(case.flags, root, config)])
        trials.append((name, case, root, file, is_old, told))
    ended = run_lines("bioner_tf.training.run", lines, directory / "output")
    expected = {}
    for (name, case, root, file, is_old, told), end in zip(trials, ended):
        where = f"{name}: {told} of {file}{' without checksums' if is_old else ''}: {end}"
        if told == "intact":
            expected[name] = outcome(case, end, root)
            if end.code != 0:
                problems.append(where)
        elif "Traceback" in end.err or end.code not in (0, 1, 2):
            problems.append(where)
        elif end.code != 0:
            *_, last = end.err.splitlines()
            if not last.startswith("error: ") or end.err.count("error: ") != 1:
                problems.append(where)
        elif not is_old and file in case.files and outcome(case, end, root) != expected[name]:
            problems.append(f"another result: {where}")
    return problems


def test_a_damaged_file_is_told_in_one_line_or_changes_nothing(intact, tmp_path):
    problems = check(intact, tmp_path, 1, 16, QUICK)
    assert not problems, "\n\n".join(problems)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10, 18))
def test_many_damaged_files(intact, tmp_path, seed):
    problems = check(intact, tmp_path, seed, 120)
    assert not problems, "\n\n".join(problems)


def test_places(intact):
    """Every file that is named above exists, or the damage would be none."""
    for case in CASES.values():
        for file in (*case.files, *case.inputs):
            assert file.startswith("fetched") or Path(intact, file).exists(), file
