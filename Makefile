# make bench    measure, and write the report
# make test     the tests, in three minutes of two cores; nothing is timed
# make test-all the same, and those that take long
# make gate     is this tree slower than BASE?
# make check    style and types
# make cluster  submitit, for sweeps on Slurm
# make runtimes ONNX Runtime, OpenVINO, JAX and numba beside torch: 250 MB
# make reframe  ReFrame, for the test of docs/reframe_rnn.py
#
# The first of them sets up .venv; later ones don't, unless pyproject.toml or constraints.txt changed.

PYTHON ?= python3
VENV ?= .venv
RUN := $(VENV)/bin/python

PRESET ?= quick
DEVICE ?=
IMPL ?=
MODE ?=
ARGS ?=

BASE ?= origin/main
JOBS ?= 2

.PHONY: bench gate trust alarms test test-long test-all check setup runtimes cluster reframe accuracy compare upgrade \
  clean
.DEFAULT_GOAL := bench

bench: $(VENV)/ready
	@$(RUN) -m bench run --preset "$(PRESET)" --impl "$(IMPL)" \
	  $(if $(DEVICE),--device "$(DEVICE)") $(if $(MODE),--mode "$(MODE)") $(ARGS)

test: $(VENV)/ready
	@$(RUN) -m pytest -n $(JOBS) --dist worksteal -m "not long" $(ARGS)

test-long: $(VENV)/ready
	@$(RUN) -m pytest -n $(JOBS) --dist worksteal -m long $(ARGS)

test-all: test test-long

gate: $(VENV)/ready
	@$(RUN) -m bench gate --base "$(BASE)" $(if $(filter-out file,$(origin PRESET)),--preset "$(PRESET)") \
	  $(if $(filter-out file,$(origin IMPL)),--impl "$(IMPL)") $(if $(DEVICE),--device "$(DEVICE)") \
	  $(if $(MODE),--mode "$(MODE)") $(ARGS)

trust: $(VENV)/ready
	@$(RUN) -m bench trust $(ARGS)

alarms: $(VENV)/ready
	@$(RUN) -m bench.proof.alarms $(ARGS)

accuracy: $(VENV)/ready
	@$(RUN) -m bench accuracy $(ARGS)

compare: $(VENV)/ready
	@$(RUN) -m pytest --benchmark-compare --preset "$(PRESET)" $(ARGS)

check: $(VENV)/checkers
	@$(RUN) -m ruff check .
	@$(RUN) -m ruff format --check .
	@$(RUN) -m mypy

setup: $(VENV)/ready

$(VENV)/ready: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit("this needs Python 3.11 or newer; name one with PYTHON=" if sys.version_info < (3, 11) else 0)'
	@echo "Setting up $(VENV) (once; torch is large) ..."
	@$(PYTHON) -m venv $(VENV)
	@$(RUN) -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[test,histogram]'
	@touch $@

$(VENV)/checkers: $(VENV)/ready
	@$(RUN) -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[check]'
	@touch $@

runtimes: $(VENV)/runtimes

$(VENV)/runtimes: $(VENV)/ready
	@$(RUN) -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[runtimes]'
	@touch $@

cluster: $(VENV)/cluster

$(VENV)/cluster: $(VENV)/ready
	@$(RUN) -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[cluster]'
	@touch $@

reframe: $(VENV)/reframe

$(VENV)/reframe: $(VENV)/ready
	@$(RUN) -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[reframe]'
	@touch $@

upgrade: $(VENV)/checkers
	@$(RUN) -m pip list --outdated

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis *.egg-info
