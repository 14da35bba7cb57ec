"""The package bioner_tf: its metadata, dependencies, data files and commands."""

import re
from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).resolve().parent
# Every module of cli/ is a command, but app.py (how all of them start and end) and bioner.py (which
# lists and runs them).
COMMANDS = sorted(
    {path.stem for path in (ROOT / "bioner_tf" / "cli").glob("*.py")}
    - {"__init__", "app", "bioner"}
)


def read_version() -> str:
    """Reads the version without importing the package, whose dependencies may be missing."""
    source = (ROOT / "bioner_tf" / "__init__.py").read_text(encoding="utf-8")
    match = re.search(r'^__version__ = "([^"]+)"$', source, re.MULTILINE)
    if match is None:
        raise RuntimeError('bioner_tf/__init__.py: expected a line like __version__ = "1.2.3"')
    return match.group(1)


setup(
    name="bioner_tf",
    version=read_version(),
    description="Multi-task biomedical named-entity taggers on TensorFlow, with SavedModel export",
    long_description=(ROOT / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    author="The bioner_tf developers",
    license="Apache-2.0",
    license_files=["LICENSE"],
    keywords=[
        "named entity recognition",
        "biomedical text mining",
        "multi-task learning",
        "conditional random field",
        "TensorFlow",
        "SavedModel",
    ],
    platforms=["Linux", "macOS"],
    classifiers=[
        "Development Status :: 3 - Alpha",
        "Environment :: Console",
        "Intended Audience :: Developers",
        "Intended Audience :: Healthcare Industry",
        "Intended Audience :: Science/Research",
        "Natural Language :: English",
        "Operating System :: POSIX",
        "Programming Language :: Python :: 3",
        "Programming Language :: Python :: 3 :: Only",
        "Programming Language :: Python :: 3.9",
        "Programming Language :: Python :: 3.10",
        "Programming Language :: Python :: 3.11",
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
        "Topic :: Scientific/Engineering :: Bio-Informatics",
        "Topic :: Text Processing :: Linguistic",
    ],
    # tensorflow-addons has no wheels for later Pythons.
    python_requires=">=3.9,<3.12",
    # An allow-list: the folders flags/ and export/ must never become packages of that name.
    packages=find_packages(include=["bioner_tf", "bioner_tf.*"]),
    # bioner_tf/data/flags is a link to flags/: a wheel holds copies of the flagfiles.
    package_data={
        "": ["templates/*"],
        "bioner_tf": [
            "data/corpora.sha256",
            "data/demo/*.txt",
            "data/flags/*.flags",
            "data/bio5/**",
        ],
    },
    install_requires=[
        "absl-py>=2.0",
        # Older releases of gensim 4.3 import functions that SciPy 1.13 removed.
        "gensim>=4.3.3",
        "jinja2>=3.1,<4",
        "numpy>=1.23.5,<2",
        "scipy>=1.11",
        "tensorflow>=2.15,<2.16",
        "tensorflow-addons==0.23.*",
    ],
    extras_require={
        # The two ends of a range are the newest releases for Python 3.9 and for Python 3.11.
        "dev": [
            "hypothesis>=6.141,<7",
            "mypy>=1.19,<2.5",
            # Its earlier releases have another interface; without it one test is skipped.
            "nervaluate>=1.2,<2; python_version >= '3.11'",
            "pytest>=8.4,<9.3",
            "pytest-xdist>=3.8,<3.9",
            "ruff>=0.17.6,<0.18",
            "seqeval>=1.2.2,<1.3",
        ],
        # The peer that the speed benchmarks compare with.
        "bench": ["torch>=2.8,<3"],
        # The API reference, and what runs the tutorial's notebook.
        "docs": ["ipykernel>=6.30,<8", "nbclient>=0.10.2,<0.12", "pdoc>=15,<17"],
        "plot": ["matplotlib>=3.9,<3.12"],
        # Ray 2.51 is the last release for Python 3.9.
        "ray": ["ray>=2.51,<3"],
        # Later releases of spaCy need NumPy 2. This one needs click but does not declare it.
        "spacy": ["click", "spacy>=3.7.5,<3.8"],
    },
    entry_points={
        "console_scripts": [
            "bioner = bioner_tf.cli.bioner:entry",
            *(f"bioner-{command} = bioner_tf.cli.{command}:entry" for command in COMMANDS),
        ],
        "spacy_factories": ["bioner_tf = bioner_tf.tagging.spacy_component:make_component"],
    },
)
