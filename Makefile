# One command each, on a machine with only python3 (>= 3.11) and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
BENCH_INSTALLED := $(VENV)/.bench-installed
# The server of the conformance tests wants other versions than we do.
CONFORMANCE := .venv-conformance
CONFORMANCE_INSTALLED := $(CONFORMANCE)/.installed
BENCH_ARGS ?=
POSTGIS := postgresql postgresql-postgis
CHROMIUM := chromium
# One more than there are cores: many tests wait for a server, a timeout or another process.
WORKERS ?= $(shell echo $$(( $$(getconf _NPROCESSORS_ONLN) + 1 )))

.PHONY: demo test test-conformance postgis chromium nightly ui check bench lock help
help:
	@echo "make demo    run the main job on real Sentinel-2 pixels, and print results"
	@echo "make test    run every test"
	@echo "make test-conformance  the search against stac-fastapi-pgstac on a PostgreSQL of its own"
	@echo "make chromium  the browser that tests of the UI want; make test gets it where it may"
	@echo "make nightly 50,000 hostile files and items, 100,000 dialects, 5,000 shapes, 8,000 changes of lakes, 300 faults of code; an hour and a half"
	@echo "make ui      Dagster UI on http://127.0.0.1:3000 over the demo lake"
	@echo "make check   ruff and mypy --strict"
	@echo "make bench   speed and memory against odc-stac, in one run"

$(INSTALLED): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Python 3.11 or newer is needed; name one with: make PYTHON=python3.12 ...")'
	@echo "Setting up $(VENV) from requirements.lock (once)" >&2
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --compile-bytecode --require-hashes -r requirements.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e .
	@touch $@

$(BENCH_INSTALLED): $(INSTALLED) requirements-bench.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --compile-bytecode --require-hashes -r requirements-bench.lock
	@touch $@

$(CONFORMANCE_INSTALLED): $(INSTALLED) requirements-conformance.lock
	@$(PYTHON) -m venv --clear $(CONFORMANCE)
	@$(BIN)/uv pip install --quiet --python $(CONFORMANCE)/bin/python --compile-bytecode --require-hashes -r requirements-conformance.lock
	@$(BIN)/uv pip install --quiet --python $(CONFORMANCE)/bin/python --no-deps --no-build-isolation -e .
	@touch $@

demo: $(INSTALLED)
	@$(BIN)/mrv demo

# Without a browser its tests are skipped, and say why. Hundreds of processes would each compile what has no bytecode.
test: $(INSTALLED)
	@$(MAKE) --no-print-directory chromium || echo "The tests of the UI in a browser are skipped." >&2
	@env -u PYTHONDONTWRITEBYTECODE $(BIN)/python -m pytest -n $(WORKERS) --maxprocesses 5 --dist loadfile --no-loadscope-reorder

test-conformance: $(CONFORMANCE_INSTALLED) postgis
	@$(CONFORMANCE)/bin/python -m pytest tests/conformance

# PostgreSQL is no wheel: it is the system's, installed where we may, and else asked for.
postgis:
	@ls /usr/share/postgresql/*/extension/postgis.control >/dev/null 2>&1 && exit; \
	[ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null || { echo "PostgreSQL with PostGIS is needed; run: sudo apt-get install $(POSTGIS)" >&2; exit 1; }; \
	echo "Installing PostgreSQL and PostGIS (once)" >&2; \
	apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $(POSTGIS) >/dev/null

# Nor is a browser.
chromium:
	@command -v chromium >/dev/null && exit; \
	[ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null || { echo "Chromium is needed; run: sudo apt-get install $(CHROMIUM)" >&2; exit 1; }; \
	echo "Installing Chromium (once)" >&2; \
	apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $(CHROMIUM) >/dev/null

# The fuzz tests of `make test`, with 25 times as many examples.
nightly: $(INSTALLED)
	@HYPOTHESIS_PROFILE=nightly $(BIN)/python -m pytest tests/cog/test_fuzz_tiff.py tests/scenes/test_fuzz_items.py tests/scenes/test_offset.py tests/science/test_cutting.py tests/product/test_mutations.py tests/product/test_readers.py tests/product/test_code_mutants.py

ui: $(INSTALLED)
	@$(BIN)/mrv ui

check: $(INSTALLED)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

bench: $(BENCH_INSTALLED)
	@$(BIN)/python -m bench $(BENCH_ARGS)

# After a change of dependencies in pyproject.toml. Hashes, and no index's address.
lock: $(INSTALLED)
	$(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --quiet pyproject.toml --group dev -o requirements.lock
	$(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --quiet pyproject.toml --group bench -c requirements.lock -o requirements-bench.lock
	$(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --quiet pyproject.toml --group dev --group conformance -o requirements-conformance.lock
