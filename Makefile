# `make demo` and `make test` work on a machine with Python 3.10 to 3.13 and make.
#   make demo   raw text -> vocabulary -> pretraining -> pipelines -> wheel, tried from the wheel
#   make test   the test suite; in the end, from Python 3.12 on, how much of the package it ran
#   make durations  the same, and the twenty slowest tests
#   make test-benchmarks  whether the scripts in benchmarks/ run
#   make check  ruff and pyright
#   make docs   the documentation as a site, in site/
#   make clean  removes what `make demo` and `make docs` made (not .venv)
# TORCH chooses another torch (TORCH=torch==2.9.1), TORCH_INDEX another index of its wheels
# (the default one holds CPU builds; TORCH_INDEX=https://download.pytorch.org/whl/cu126). Where
# that index cannot be reached, torch comes from pip's own. CONSTRAINTS chooses other versions of
# everything else (CONSTRAINTS=/dev/null for the newest ones that pyproject.toml allows).
# COVERAGE=--cov measures coverage with every Python, COVERAGE= with none.

PYTHON ?= python3
TORCH ?= torch==2.13.0
TORCH_INDEX ?= https://download.pytorch.org/whl/cpu
CONSTRAINTS ?= constraints.txt
SIZE ?= tiny
WORKERS ?= 2

BIN := .venv/bin
INSTALLED := .venv/.installed
DOCS_INSTALLED := .venv/.docs_installed
# Modules are compiled when they are first imported, not all 20,000 at once.
PIP := $(BIN)/python -m pip install -qq --disable-pip-version-check --no-compile

# Python 3.12 can observe lines nearly for free; before, every call of a function costs.
COVERAGE ?= $(shell $(BIN)/python -c \
	"import sys; print('--cov --cov-report=' if sys.version_info >= (3, 12) else '')")

PYTEST := HF_HUB_OFFLINE=1 OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS) \
	--dist loadfile --no-loadscope-reorder

TRY := $(BIN)/python -m spacy selectra package try

export TOKENIZERS_PARALLELISM ?= false

.PHONY: demo test test-benchmarks durations check docs clean install

demo: $(INSTALLED)
	$(BIN)/python -m spacy project run all . --vars.size $(SIZE)
	$(BIN)/python -m spacy selectra package summary metrics/$(SIZE)
	@echo; echo "Ordinary Spanish, by the pipeline just trained on the sample:"; echo
	@$(TRY) packages/es_selectra_$(SIZE)-*.whl --texts assets/ordinary.txt
	@echo; echo "The same by the shipped pipeline, which was trained on real text:"; echo
	@$(TRY) packages/es_selectra_small/*.whl --library packages/spacy_selectra-*.whl --texts assets/ordinary.txt

test: $(INSTALLED)
	$(PYTEST) $(COVERAGE) $(DURATIONS) --ignore-glob="*/test_benchmark*"

test-benchmarks: $(INSTALLED)
	$(PYTEST) tests/test_benchmark*.py tests/packaging/test_benchmark*.py

durations: DURATIONS := --durations 20
durations: test

check: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright

docs: $(DOCS_INSTALLED)
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict

clean:
	rm -rf training metrics corpus packages/*.whl project.lock build dist site

install: $(INSTALLED)

$(INSTALLED): pyproject.toml constraints.txt
	@$(PYTHON) -c "import sys; sys.exit(not (3, 10) <= sys.version_info < (3, 14))" || \
		{ echo "Python 3.10 to 3.13 is needed: make PYTHON=python3.12 ..."; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "Installing into .venv (a few minutes the first time)"
	@$(PIP) --constraint $(CONSTRAINTS) setuptools wheel
	@$(PIP) --no-deps --retries 1 --index-url $(TORCH_INDEX) "$(TORCH)" 2>/dev/null || \
		$(PIP) --no-deps "$(TORCH)"
	@# its source does not build without isolation
	@$(PIP) --constraint $(CONSTRAINTS) --no-deps --use-pep517 seqeval
	@$(PIP) --constraint $(CONSTRAINTS) --no-build-isolation --editable ".[dev]"
	@touch $@

$(DOCS_INSTALLED): $(INSTALLED)
	@$(PIP) --constraint $(CONSTRAINTS) --no-build-isolation --editable ".[docs]"
	@touch $@
