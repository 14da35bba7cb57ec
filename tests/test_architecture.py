"""Checks what each folder may import, and that a few modules import nothing else."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from pathlib import Path

import pytest

PACKAGE = "bioner_tf"

# What may be imported by every folder.
ROOT = {"checksums", "config", "errors", "files", "machine", "terminal"}

# The folders from the roof down, and the folders that each may import beside its own and the root.
GROUND = {"corpora", "layers", "text", "pages"}
FLOOR = {"sources", "scoring", "vectors", "runs", "formats"} | GROUND
MAY_IMPORT = {
    "cli": {"experiments", "training", "tagging", "models", "serving"} | FLOOR,
    "experiments": {"training", "tagging", "models", "serving"} | FLOOR,
    "training": {"tagging", "models", "serving"} | FLOOR,
    "tagging": {"serving", "formats", "corpora", "pages"},
    "models": {"sources", "layers"},
    "serving": {"sources", "layers", "text", "corpora", "pages"},
    "sources": {"layers", "text", "vectors", "corpora"},
    "scoring": {"corpora"},
    "vectors": {"corpora"},
    "runs": {"corpora"},
    "formats": {"corpora"},
    "corpora": set(),
    "layers": set(),
    "text": set(),
    "pages": set(),
}
WITHOUT_TENSORFLOW = {"corpora", "formats", "vectors", "scoring", "runs", "pages"}

# An import of which modules is reserved for which.
RESERVED = {
    "tensorflow_addons": lambda module: module == "layers.crf",
    "absl.flags": lambda module: module.startswith("cli."),
    "absl.app": lambda module: False,  # cli/app.py starts the commands instead
    "tensorflow": lambda module: folder(module) not in WITHOUT_TENSORFLOW | ROOT - {"machine"},
    "keras": lambda module: False,  # tf.keras: one name for one thing
    "tensorflow.compat.v1": lambda module: False,
    "tensorflow.python": lambda module: False,
    "keras.src": lambda module: False,
}

SOURCES = {
    ".".join(path.relative_to(Path(__file__).parents[1] / PACKAGE).with_suffix("").parts): path
    for path in sorted((Path(__file__).parents[1] / PACKAGE).rglob("*.py"))
    if path.parent.name != PACKAGE or path.name != "__init__.py"
}


def folder(module: str) -> str:
    """The folder that a module is in; a root module stands for itself."""
    return module.split(".")[0]


def imported(source: str) -> set[str]:
    """Returns the dotted names that a module's source imports, also through attributes."""
    names: set[str] = set()
    stands_for: dict[str, str] = {}
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                names.add(alias.name)
                local = alias.asname or folder(alias.name)
                stands_for[local] = alias.name if alias.asname else local
        elif isinstance(node, ast.ImportFrom):
            base = "." * node.level + (node.module or "")
            for alias in node.names:
                names.add(f"{base}.{alias.name}")
                stands_for[alias.asname or alias.name] = f"{base}.{alias.name}"
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            root, *rest = dotted(node).split(".")
            if root in stands_for and rest:
                names.add(".".join([stands_for[root], *rest]))
    return names


def dotted(node: ast.AST) -> str:
    """Returns ``a.b.c`` of a chain of attributes; an empty string if it starts at an expression."""
    if isinstance(node, ast.Attribute):
        base = dotted(node.value)
        return f"{base}.{node.attr}" if base else ""
    return node.id if isinstance(node, ast.Name) else ""


def is_within(name: str, package: str) -> bool:
    return name == package or name.startswith(package + ".")


def own_imports(source: str, modules: Iterable[str]) -> set[str]:
    """The modules of the package, by their names within it, that a source imports."""
    names = {name[len(PACKAGE) + 1 :] for name in imported(source) if is_within(name, PACKAGE)}
    known = {module.replace(".__init__", "") for module in modules}
    # "corpus.Sentence" names a thing in the module "corpus"; "cli.app" is a module itself.
    return {
        next(candidate for candidate in (name, name.rpartition(".")[0]) if candidate in known)
        for name in names
        if name in known or name.rpartition(".")[0] in known
    }


def violations(module: str, source: str, modules: Iterable[str]) -> list[str]:
    """Returns the imports of a module that its folder may not have."""
    own = folder(module)
    if own not in ROOT and own not in MAY_IMPORT:
        return [f"{module} is in no known folder: list it in tests/test_architecture.py"]
    allowed = ROOT if own in ROOT else {own} | ROOT | MAY_IMPORT[own]
    found = [
        f"{module} imports {other}, which {own} may not"
        for other in sorted(own_imports(source, modules))
        if folder(other) not in allowed
    ]
    for name in sorted(imported(source)):
        if name.startswith("."):
            found.append(f"{module} imports {name}: write bioner_tf out")
        found += [
            f"{module} imports {name}"
            for package, is_allowed in RESERVED.items()
            if is_within(name, package) and not is_allowed(module)
        ]
    return found


def find_cycle(graph: dict[str, set[str]]) -> list[str]:
    """Returns modules that import each other in a circle; none if there are none."""
    finished: set[str] = set()

    def visit(module: str, path: list[str]) -> list[str]:
        if module in path:
            return [*path[path.index(module) :], module]
        if module not in finished:
            for other in sorted(graph.get(module, ())):
                cycle = visit(other, [*path, module])
                if cycle:
                    return cycle
            finished.add(module)
        return []

    return next(filter(None, (visit(module, []) for module in sorted(graph))), [])


@pytest.mark.parametrize("module", SOURCES)
def test_module_imports_what_its_folder_may(module):
    assert violations(module, SOURCES[module].read_text(encoding="utf-8"), SOURCES) == []


def test_no_modules_import_each_other():
    graph = {
        module.replace(".__init__", ""): own_imports(path.read_text(encoding="utf-8"), SOURCES)
        - {module.replace(".__init__", "")}
        for module, path in SOURCES.items()
    }
    assert find_cycle(graph) == []


def test_folders_of_experiments_import_each_other_in_no_circle():
    graph: dict[str, set[str]] = {}
    for module, path in SOURCES.items():
        if folder(module) == "experiments":
            place = module.split(".")[1]
            others = own_imports(path.read_text(encoding="utf-8"), SOURCES)
            inside = {other.split(".")[1] for other in others if other.startswith("experiments.")}
            graph.setdefault(place, set()).update(inside - {place})
    assert {"sweeps", "reports", "paper", "partners"} <= set(graph)
    assert find_cycle(graph) == []


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("corpora.tags", "import tensorflow as tf"),
        ("corpora.tags", "def f():\n    from tensorflow import nn"),
        ("corpora.tags", "from bioner_tf.layers.features import CharCNN"),
        ("corpora.tags", "from bioner_tf import layers"),
        ("corpora.tags", "import bioner_tf.layers.features"),
        ("corpora.tags", "from . import layers"),
        ("corpora.tags", "from absl import flags"),
        ("layers.features", "import tensorflow_addons as tfa"),
        ("layers.features", "from tensorflow.python.ops import rnn"),
        ("layers.features", "import tensorflow as tf\ny = tf.compat.v1.layers"),
        ("layers.features", "import tensorflow.compat.v1 as tf"),
        ("layers.features", "from tensorflow import compat\nsession = compat.v1.Session()"),
        ("layers.features", "from tensorflow.compat import v1"),
        ("layers.features", "import keras"),
        ("layers.features", "from keras.src import backend"),
        ("training.run", "import absl.flags"),
        ("training.run", "from bioner_tf.cli import train"),
        ("models.cross_sharing", "from bioner_tf.training.trainer import MultiTaskTrainer"),
        ("cli.train", "from absl import app"),
        ("serving.export", "from bioner_tf.models import build_tagger"),
        ("layers.features", "from bioner_tf.corpora.tags import OUTSIDE"),
        ("errors", "from bioner_tf.corpora import tags"),
        ("attic", ""),
    ],
)
def test_guard_catches(module, source):
    assert violations(module, source, [*SOURCES, "layers"])


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("corpora.tags", "import numpy as np\nfrom bioner_tf.errors import BionerError"),
        ("layers.crf", "import tensorflow_addons as tfa"),
        ("models.cross_sharing", "from bioner_tf.layers.features import BiLSTM"),
        ("cli.train", "from absl import flags\nfrom bioner_tf.cli import app"),
    ],
)
def test_guard_lets_pass(module, source):
    assert violations(module, source, [*SOURCES, "layers"]) == []


def test_guard_finds_cycles():
    assert find_cycle({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == ["b", "c", "b"]
    assert find_cycle({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == []
