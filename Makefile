# nsnn_neuro: `make help` lists the targets. Needs Python 3.11, 3.12 or 3.13 and GNU make (3.81 or later).
#   make test PYTHON=python3.13 VENV=.venv313      another interpreter, in its own environment
#   make test TESTS="tests/core/test_units.py -x"       chosen files and options for pytest
#   make test EXTRAS=test,torch                    the tests of nsnn_neuro.deep too; EXTRAS are pyproject.toml's
#   make test JOBS=0                               in this process alone (for a debugger); default: a process per core

VENV ?= .venv
TESTS ?=
JOBS ?= auto
EXTRAS ?= test
PY := $(VENV)/bin/python
PIP := $(PY) -m pip --disable-pip-version-check --quiet

# An interpreter is usable when it starts (a pyenv shim may not), is in range and can make an environment.
usable := import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))
version := import sys; print("%d.%d" % sys.version_info[:2])
tried := $(or $(PYTHON),python3 python3.11 python3.12 python3.13)
find_python = for p in $(tried); do \
	if $$p -c '$(usable)' >/dev/null 2>&1; then echo $$p; break; fi; done

remove_venv = if [ -f $(VENV)/pyvenv.cfg ]; then rm -rf $(VENV); fi

# An environment that doesn't start, or whose version isn't that of a PYTHON given by hand, is made afresh.
have := $(shell $(PY) -c '$(version)' 2>/dev/null)
want := $(if $(PYTHON),$(shell $(PYTHON) -c '$(version)' 2>/dev/null),$(have))
ifneq ($(have),$(or $(want),none))
.PHONY: $(PY)
endif

.PHONY: help demo test test-all test-slow test-oldest first-use first-use-all test-peers lint docs docs-serve docs-check studies notebooks bench clean

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1 # \2/p' Makefile | awk -F' # ' '{ printf "  %-15s %s\n", $$1, $$2 }'

demo: $(VENV)/.installed ## real spikes through the measures: a report in results/grasshopper
	@$(PY) -m analysis grasshopper
	@echo "The report is in $$(ls -td results/grasshopper/*/ | head -n 1)"

test: $(VENV)/.installed-test ## quick tests and doctests
	@$(PY) -m pytest -n $(JOBS) --maxprocesses 8 -m "not slow" $(TESTS)

test-all: $(VENV)/.installed-test ## every test
	@$(PY) -m pytest -n $(JOBS) --maxprocesses 8 $(TESTS)

test-slow: $(VENV)/.installed-test ## the tests that `make test` leaves out
	@$(PY) -m pytest -n $(JOBS) --maxprocesses 8 -m slow $(TESTS)

# files, simulation and measures; compiled code is the same whatever the versions of the rest
OLDEST_TESTS := $(addprefix tests/,$(addsuffix .py,$(addprefix io/test_,nwb external_files recording block) \
	$(addprefix brian/test_,simulate engine) models/test_noise sweep/test_sweep plotting/test_plotting $(addprefix measures/test_measures_, \
	contract firing_statistics mutual_information coherence decoders tabulate)))

test-oldest: .venv-oldest/.installed ## quick tests with the oldest versions of what pyproject.toml asks for (Python 3.11)
	@.venv-oldest/bin/python -m pytest -n $(JOBS) --maxprocesses 8 -m "not slow" $(or $(TESTS),$(OLDEST_TESTS))

first-use: ## what a user does first, in new environments: newest versions on Python 3.13, oldest on 3.11
	@$$($(find_python)) .ci/first_use.py $(or $(ENVIRONMENTS),3.13-newest 3.11-oldest)

first-use-all: ## the same on every Python, with and without a C++ compiler, into docs/develop/environments.md
	@$$($(find_python)) .ci/first_use.py --all --page docs/develop/environments.md

# every file with a test that is skipped without one of these packages
PEER_TESTS = $(shell grep -rlE --include='*.py' 'importorskip..(pynapple|pyspike|xarray|spikeinterface|statsmodels|nemos|nwbinspector|neuroconv|hdmf_zarr|dit|astropy)' \
	tests nsnn_neuro)

test-peers: ## tests with objects and values of other packages (pynapple, statsmodels, nwbinspector, ...), in .venv-peers
	@$(MAKE) test VENV=.venv-peers EXTRAS=test,interop,peers TESTS="-rs $(or $(TESTS),$(PEER_TESTS))"

lint: $(VENV)/.installed-test ## ruff and mypy
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .
	@$(PY) -m mypy

SPHINX = OMP_NUM_THREADS=1 $(PY) -m $(1) -b html -c docs/site -d build/doctrees $(2) build/source build/site

docs: $(VENV)/.installed-docs ## the site in build/site, with the outputs of its code and of the notebooks; no warning and no dead link; INTERSPHINX=1 links to other packages' sites
	@mkdir -p build/source
	@$(call SPHINX,sphinx,--fail-on-warning --keep-going --quiet)

docs-serve: $(VENV)/.installed-docs ## shows the site in a browser while you edit it
	@mkdir -p build/source
	@$(call SPHINX,sphinx_autobuild,--watch docs --watch nsnn_neuro --ignore "$(CURDIR)/build/*")

docs-check: docs ## reads the built site in Chromium without a window: errors, images, a phone's width, search
	@$(PY) docs/site/browser.py build/site

studies: $(VENV)/.installed ## every study in analysis/, on one page: results/index.html; QUICK=1 for small runs
	@$(PY) -m analysis all $(if $(QUICK),--quick)

notebooks: $(VENV)/.installed ## opens the notebooks in a browser
	@$(PIP) install -e ".[notebooks]"
	@cd notebooks && ../$(PY) -m jupyter notebook

bench: $(VENV)/.installed$(if $(PEERS),-bench) ## the timings in benchmarks/, into one file; PEERS=1 installs what they are compared with; BENCH=--quick
	@$(PY) benchmarks/run.py $(BENCH)

clean: ## remove the environment, caches and build output; results/ stays
	@$(remove_venv)
	@rm -rf .venv-oldest .venv-peers .venv-bench build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis notebooks/.ipynb_checkpoints
	@find nsnn_neuro analysis tests benchmarks data -name __pycache__ -prune -exec rm -rf {} +

$(PY):
	@p=$$($(find_python)); if [ -z "$$p" ]; then \
		echo "make: needs a Python 3.11, 3.12 or 3.13 that can make a virtual environment; tried $(tried)." >&2; \
		echo "  To install one: apt-get install python3 python3-venv (Debian, Ubuntu); brew install python@3.13 (macOS)." >&2; \
		echo "  To use another: make PYTHON=/path/to/python3.12" >&2; exit 1; fi; \
	echo "== $$p ($$($$p -c '$(version)')): new environment $(VENV)"; \
	$(remove_venv); $$p -m venv $(VENV) && echo '*' > $(VENV)/.gitignore || { $(remove_venv); exit 1; }
	@for c in $${CXX:-c++ g++ clang++}; do if command -v "$$c" >/dev/null 2>&1; then exit 0; fi; done; \
		echo "warning: no C++ compiler, so Brian2 falls back to NumPy code: correct, but many times slower." >&2; \
		echo "  To install one: apt-get install g++ (Debian, Ubuntu); xcode-select --install (macOS)" >&2

.venv-oldest/.installed: pyproject.toml
	@echo "== installing the oldest versions into .venv-oldest"
	@rm -rf .venv-oldest && python3.11 -m venv .venv-oldest && echo '*' > .venv-oldest/.gitignore
	@.venv-oldest/bin/python -m pip --disable-pip-version-check --quiet install uv
	@.venv-oldest/bin/python -m uv pip install --quiet --python .venv-oldest/bin/python --resolution lowest-direct -e . \
		"pytest>=8" "pytest-xdist>=3.6" "hypothesis>=6.100" && touch $@

# The stamps are written last, so an install that failed is tried again; a newer pyproject.toml renews them.
$(VENV)/.installed: $(PY) pyproject.toml
	@echo "== installing nsnn_neuro and what it needs into $(VENV) (a minute or two)"
	@$(PIP) install -e . && touch $@

$(VENV)/.installed-test: $(VENV)/.installed
	@echo "== adding pytest, hypothesis, ruff and mypy (extras: $(EXTRAS))"
	@$(PIP) install -e ".[$(EXTRAS)]" && touch $@

$(VENV)/.installed-bench: $(VENV)/.installed
	@echo "== adding the packages that benchmarks are compared with"
	@$(PIP) install -e ".[bench]" && touch $@

$(VENV)/.installed-docs: $(VENV)/.installed
	@echo "== adding Sphinx, and torch, which two notebooks use"
	@$(PIP) install -e ".[docs,torch]" && touch $@
