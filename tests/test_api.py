"""The public interface, which ``make docs`` writes a reference of, has complete docstrings."""

from __future__ import annotations

import dataclasses
import importlib
import importlib.util
import inspect
import os
import re
import subprocess
import sys

import pytest

# By module, what people use from Python.
PUBLIC = {
    "bioner_tf": ["load"],
    "bioner_tf.tagging.tagger": ["Tagger"],
    "bioner_tf.formats.annotation": ["Entity"],
    "bioner_tf.config": ["DataConfig", "ModelConfig", "RunConfig", "TrainingConfig"],
    "bioner_tf.training.run": ["train"],
    "bioner_tf.corpora.corpus": ["Corpus", "Sentence", "Split", "read_corpus", "read_split"],
    "bioner_tf.errors": ["BionerError", "UsageError"],
}
NAMES = [f"{module}:{name}" for module, names in PUBLIC.items() for name in names]


def modules_of_the_reference(repository):
    """The modules that ``make docs`` names."""
    makefile = (repository / "Makefile").read_text(encoding="utf-8")
    [recipe] = re.findall(r"^docs: .*\n((?:\t.*\n)+)", makefile, re.MULTILINE)
    return re.findall(r"(?<=\s)bioner_tf[\w.]*", recipe)


def methods_of(cls):
    for name, member in vars(cls).items():
        function = member.__func__ if isinstance(member, (classmethod, staticmethod)) else member
        if inspect.isfunction(function) and not name.startswith("_"):
            yield function


def lacks(function):
    """What the docstring of a function does not tell."""
    told = inspect.getdoc(function) or ""
    if not told.endswith("."):
        yield f"{function.__qualname__}: no docstring of whole sentences"
    parameters = [
        name for name in inspect.signature(function).parameters if name not in ("self", "cls")
    ]
    # One parameter may be told in the summary.
    if len(parameters) > 1 or "Args:" in told:
        for name in parameters:
            if not re.search(rf"^\s+{name}: ", told, re.MULTILINE):
                yield f"{function.__qualname__}: {name} is not explained"
    returned = inspect.signature(function).return_annotation
    if returned not in (None, "None") and not re.search(
        r"^(Returns|Yields):$|^(Returns|Reads|Builds) ", told, re.MULTILINE
    ):
        yield f"{function.__qualname__}: what it returns is not told"


def fields_of(cls):
    """The fields of a class that its docstring has to explain."""
    if dataclasses.is_dataclass(cls):
        # A setting has its help in the metadata, as its flag shows it.
        return [f.name for f in dataclasses.fields(cls) if not f.metadata.get("help")]
    return list(getattr(cls, "_fields", []))


@pytest.mark.parametrize("name", NAMES)
def test_docstrings_are_complete(name):
    module, _, attribute = name.partition(":")
    found = getattr(importlib.import_module(module), attribute)
    if inspect.isfunction(found):
        assert list(lacks(found)) == []
        return
    told = inspect.getdoc(found)
    assert told != inspect.getdoc(object)
    missing = [name for name in fields_of(found) if not re.search(rf"\b{name}\b", told)]
    missing += [what for method in methods_of(found) for what in lacks(method)]
    if "__init__" in vars(found) and not dataclasses.is_dataclass(found):
        arguments = inspect.signature(found).parameters
        missing += [name for name in arguments if f"\n    {name}: " not in told]
    assert missing == []


def test_the_reference_has_the_modules_of_the_public_interface(repository):
    assert modules_of_the_reference(repository) == list(PUBLIC)


@pytest.mark.slow
@pytest.mark.skipif(not importlib.util.find_spec("pdoc"), reason="pdoc (docs) is not installed")
def test_the_reference_is_written(repository, tmp_path):
    modules = modules_of_the_reference(repository)
    options = ["--docformat", "google", "--output-directory", str(tmp_path)]
    subprocess.run(
        [sys.executable, "-m", "pdoc", *options, modules[0], "!bioner_tf[.]", *modules[1:]],
        cwd=repository,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
        check=True,
        capture_output=True,
    )
    for module, names in PUBLIC.items():
        page = (tmp_path / f"{module.replace('.', '/')}.html").read_text(encoding="utf-8")
        for name in names:
            assert f'id="{name}"' in page
