# Start with `make run` and `make test`. Every target that needs Python makes .venv first, and updates it
# when setup.py has changed.

VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
# Exists only during an installation; if it is left over, the installation was interrupted.
UNFINISHED := $(VENV)/.unfinished
# The Pythons to try, in this order; PYTHON=/path/to/python3.10 chooses another.
PYTHON ?=
CANDIDATES := $(PYTHON) python3.11 python3.10 python3.9 python3
RIGHT_VERSION := import sys; sys.exit(not (3, 9) <= sys.version_info[:2] <= (3, 11))

.DEFAULT_GOAL := help
.PHONY: help run test test-slow docs bench chaos bio5 lint clean

help:
	@echo 'make run        tag an abstract with the bundled tagger; train a small tagger and tag a text with it'
	@echo 'make test       check format, lint and types, then run the tests'
	@echo 'make test-slow  run the tests that need minutes'
	@echo 'make bench      measure speed and growth (minutes); the tables go into docs/performance.md'
	@echo 'make chaos      kill commands, damage files, generate texts (up to 2 hours); tables in docs/reliability.md'
	@echo 'make bio5       train the bundled tagger on the corpora in DATA_DIR (an hour), into runs/bio5/'
	@echo 'make docs       write the API reference into build/docs'
	@echo 'make lint       check format, lint and types only'
	@echo 'make clean      remove what the other targets have written, except $(VENV)'

run: $(INSTALLED)
	@echo '== Writing the demo corpora to demo/'
	$(BIN)/bioner-demo --data_dir=demo
	@echo '== Tagging demo/abstract.txt with the bundled tagger'
	$(BIN)/bioner-tag --input=demo/abstract.txt --output_format=highlight
	@echo '== Training a cross-sharing tagger on them, in runs/demo/'
	rm -rf runs/demo
	$(BIN)/bioner-train --flagfile=flags/demo.flags
	@echo '== Tagging demo/example.txt with it'
	$(BIN)/bioner-tag --model=runs/demo --input=demo/example.txt --output_format=highlight

# Two processes: TensorFlow's graphs are built by one core each. A file's tests share its fixtures.
test: lint
	$(BIN)/python -m pytest -n 2 --dist loadfile

test-slow: $(INSTALLED)
	$(BIN)/python -m pytest -m slow

bench: $(INSTALLED)
	$(BIN)/python benchmarks/speed/bilstm.py
	$(BIN)/python benchmarks/speed/limits.py
	$(BIN)/python benchmarks/speed/training_step.py
	$(BIN)/python benchmarks/speed/tagging.py
	$(BIN)/python benchmarks/speed/all_types.py
	$(BIN)/python benchmarks/speed/growth.py
	$(BIN)/python benchmarks/report.py

chaos: $(INSTALLED)
	$(BIN)/python -m tests.chaos.chaos --seconds=1800 --seed=1 --report

# The bundled tagger: vectors from the train and devel text of its corpora, training, a small export.
DATA_DIR ?= corpora
BIO5 := BC2GM-IOB JNLPBA NCBI-disease-IOB BC5CDR-IOB linnaeus-IOB
comma := ,
empty :=
bio5: $(INSTALLED)
	$(BIN)/bioner-embed --input=$(subst $(empty) $(empty),$(comma),$(foreach corpus,$(BIO5),$(DATA_DIR)/$(corpus)/train.tsv $(DATA_DIR)/$(corpus)/devel.tsv)) \
	    --output=runs/bio5-vectors.bin --dim=100 --epochs=15 --min_count=2 --lower
	$(BIN)/bioner-train --flagfile=flags/bio5.flags --data_dir=$(DATA_DIR) --vectors=runs/bio5-vectors.bin --run_dir=runs/bio5
	$(BIN)/bioner-export --run_dir=runs/bio5 --export_dir=runs/bio5-export --table_precision=float16 \
	    --type_map=GENE=Gene,protein=Gene,DNA=Gene,RNA=Gene,cell_line=Cell,cell_type=Cell

# The public modules; their docstrings say all that the reference does.
docs: $(INSTALLED)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check '.[docs]'
	$(BIN)/python -m pdoc --docformat google --output-directory build/docs bioner_tf '!bioner_tf[.]' \
	  bioner_tf.tagging.tagger bioner_tf.formats.annotation bioner_tf.config bioner_tf.training.run \
	  bioner_tf.corpora.corpus bioner_tf.errors

lint: $(INSTALLED)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

clean:
	rm -rf build dist demo runs/demo *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find bioner_tf tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

# Makes the environment again if its installation was interrupted or its Python has the wrong version.
# Each candidate is run first: some are only stand-ins for a Python that is not installed, some have no venv.
$(INSTALLED): setup.py
	@if [ -e $(UNFINISHED) ] || ! $(BIN)/python -c '$(RIGHT_VERSION)' 2>/dev/null \
	    || ! $(BIN)/python -m pip --version >/dev/null 2>&1; then \
	  rm -rf $(VENV); \
	  for candidate in $(CANDIDATES); do \
	    $$candidate -c 'import ensurepip, venv; $(RIGHT_VERSION)' >/dev/null 2>&1 || continue; \
	    echo "== Making $(VENV) with $$candidate"; \
	    $$candidate -m venv $(VENV) && break; \
	    rm -rf $(VENV); \
	  done; \
	  [ -e $(VENV) ] || $(MAKE) --no-print-directory .venv-by-uv; \
	fi
	@touch $(UNFINISHED) && rm -f $@
	@echo '== Installing bioner_tf and what it needs into $(VENV) (minutes, the first time)'
	@# setuptools warns at length about editable installations as such.
	PYTHONWARNINGS=ignore $(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev,plot]'
	@# Without its dependencies: they would bring a second TensorFlow where the first is tensorflow-cpu.
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps 'tensorflow-serving-api==2.15.*'
	@rm -f $(UNFINISHED)
	@touch $@

# The machine has no suitable Python: uv brings one. Any Python 3 can install uv.
.PHONY: .venv-by-uv
.venv-by-uv:
	@echo '== No Python of 3.9 to 3.11 here that can make a venv: getting one through uv'
	@if command -v uv >/dev/null 2>&1; then uv='uv'; \
	elif python3 -m venv build/uv 2>/dev/null && build/uv/bin/pip install --quiet uv; then \
	  uv='build/uv/bin/uv'; \
	elif python3 -m pip install --quiet --user uv; then uv='python3 -m uv'; \
	else \
	  echo 'error: found no Python of 3.9 to 3.11 and could not install uv, which would bring' \
	    'one: install either, or say make PYTHON=/path/to/python' >&2; exit 2; \
	fi; \
	$$uv venv --quiet --seed --python 3.11 $(VENV)
