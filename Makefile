# make demo, make test: all a fresh machine needs. See README.md.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
RUN := $(BIN)/python -m
INSTALLED := $(VENV)/.installed
PIP := $(RUN) pip install --quiet --disable-pip-version-check
UV := $(RUN) uv pip install --quiet --system-certs --python $(BIN)/python --compile-bytecode
OURSELVES := --no-deps --no-build-isolation --editable .
export DAGSTER_DISABLE_TELEMETRY := 1
export UV_NO_CACHE := 1
export UV_NO_PROGRESS := 1
# Kept beside the code, it spares every worker of the tests, and every process they begin, to compile all of it anew.
unexport PYTHONDONTWRITEBYTECODE

CHECKS := check-format check-lint check-types check-imports check-sql check-definitions check-conventions
.PHONY: demo up test prove load load-requests month bench check $(CHECKS) lock clean

demo: $(INSTALLED)
	@$(RUN) coinhts_pipeline.cli demo

up: $(INSTALLED)
	@$(RUN) coinhts_pipeline.cli up

# On two cores; make test ARGS="-n 0 tests/core/lake" runs some of them on one. What was left out, such as the UI where
# no chromium is installed, is named at the end.
test: $(INSTALLED)
	@$(RUN) pytest -r s -n 3 --dist loadfile --no-loadscope-reorder $(ARGS)

# The longer proofs: faults and scale that a daily suite has no time for.
prove: $(INSTALLED)
	@$(RUN) pytest -m slow $(ARGS)

# 200 connections for a minute, on a real house at work; prints what was offered, served and waited for.
load: $(INSTALLED)
	@$(RUN) tests.benchmarks.load $(ARGS)

# 500 connections for five minutes that ask for backtests, look and cancel, while the house answers.
load-requests: $(INSTALLED)
	@$(RUN) tests.benchmarks.load_requests $(ARGS)

# A month of schedules, sensors, backups and drills under a moving clock, with what befalls a house; make month ARGS=7
# lives the first days of it.
month: $(INSTALLED)
	@$(RUN) tests.benchmarks.month $(ARGS)

# Peers, limits of the machine and us in turn; make bench ARGS="w1 w2" measures some rows, ARGS=--rows names them.
bench: $(INSTALLED)
	@$(RUN) tests.benchmarks $(ARGS)

# Every check runs; make names those that failed.
check: $(INSTALLED)
	@$(MAKE) --no-print-directory --keep-going $(CHECKS)

check-format:
	$(RUN) ruff format --check --output-format concise .

check-lint:
	$(RUN) ruff check --output-format concise .

check-types:
	$(RUN) mypy --no-error-summary

check-imports:
	$(BIN)/lint-imports --no-logo

check-sql:
	$(RUN) sqlfluff lint --disable-progress-bar coinhts_core/ledger

check-definitions:
	VIRTUAL_ENV=$(CURDIR)/$(VENV) $(BIN)/dg check defs

check-conventions:
	$(RUN) pytest tests/test_conventions.py tests/test_requirements.py

lock: $(INSTALLED)
	@$(RUN) uv pip compile --quiet --system-certs --universal --generate-hashes --no-emit-index-url --no-header \
		--extra dev --upgrade pyproject.toml --output-file requirements.lock

# Never data: that lies in COINHTS_HOME.
clean:
	rm -rf $(VENV) build .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache *.egg-info
	find coinhts_core coinhts_pipeline tests -name __pycache__ -type d -prune -exec rm -rf {} +

# uv is several times faster than pip and does the same; where it cannot work, pip does.
$(INSTALLED): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
		|| { echo "coinhts needs Python 3.11 or newer; set PYTHON=/path/to/python3.11"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null \
		|| { echo "Python's venv is missing; install it, for example: apt-get install python3-venv"; exit 1; }
	@$(PYTHON) -m venv $(VENV)
	@echo "installing into $(VENV) …"
	@{ $(PIP) uv && $(UV) --require-hashes --requirement requirements.lock && $(UV) $(OURSELVES); } \
		|| { echo "uv could not install; trying pip, which takes a minute longer"; \
			$(PIP) --require-hashes --requirement requirements.lock && $(PIP) $(OURSELVES); }
	@$(RUN) compileall -q coinhts_core coinhts_pipeline
	@touch $@
