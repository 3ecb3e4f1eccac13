# make demo, make test: all a fresh machine needs. See README.md.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
RUN := $(BIN)/python -m
INSTALLED := $(VENV)/.installed
export UV_NO_CACHE := 1
export UV_NO_PROGRESS := 1

.PHONY: demo up test check bench lock clean

demo: $(INSTALLED)
	@$(RUN) coinhts_pipeline.cli demo

up: $(INSTALLED)
	@$(RUN) coinhts_pipeline.cli up

test: $(INSTALLED)
	@$(RUN) pytest $(ARGS)

check: $(INSTALLED)
	$(RUN) ruff format --check .
	$(RUN) ruff check .
	$(RUN) mypy
	$(BIN)/lint-imports
	$(BIN)/sqlfluff lint --disable-progress-bar coinhts_core/ledger
	$(BIN)/dg check defs
	$(RUN) pytest tests/test_conventions.py

lock: $(INSTALLED)
	$(BIN)/uv pip compile --quiet --system-certs --generate-hashes --no-emit-index-url --no-header \
		--extra dev --upgrade pyproject.toml -o requirements.lock

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# uv is several times faster than pip and does the same; where it cannot work, pip does.
$(INSTALLED): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "coinhts needs Python 3.11 or newer; set PYTHON=/path/to/python3.11"; exit 1; }
	@$(PYTHON) -m venv $(VENV) \
		|| { echo "Python's venv is missing; install it, for example: apt-get install python3-venv"; exit 1; }
	@echo "installing into $(VENV) …"
	@{ $(RUN) pip install --quiet --disable-pip-version-check uv \
		&& $(RUN) uv pip install --quiet --system-certs --python $(BIN)/python --compile-bytecode \
			--require-hashes -r requirements.lock \
		&& $(RUN) uv pip install --quiet --system-certs --python $(BIN)/python --no-deps --no-build-isolation -e . ; } \
		|| { echo "uv could not install; trying pip, which takes a minute longer" \
		&& $(RUN) pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock \
		&& $(RUN) pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e . ; }
	@$(RUN) compileall -q coinhts_core coinhts_pipeline
	@touch $@
