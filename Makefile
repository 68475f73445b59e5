# nextbasket: `make` alone lists the targets.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile
CORE := $(VENV)/.core
DEV := $(VENV)/.dev
export PIP_NO_INPUT := 1
# Where bytecode is not kept, every command spends seconds on compiling its libraries again.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup setup-system run checks quick test soak bench lock clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1	\2/' | expand -t 22

$(VENV)/pyvenv.cfg:
	@$(PYTHON) -c 'import sys; ok = (3, 11) <= sys.version_info[:2] < (3, 14); \
	sys.exit(None if ok else "nextbasket needs Python 3.11, 3.12 or 3.13; set PYTHON=... (this is %d.%d)" % sys.version_info[:2])'
	$(PYTHON) -m venv $(VENV)

$(CORE): requirements.lock pyproject.toml | $(VENV)/pyvenv.cfg
	$(PIP) --require-hashes -r requirements.lock
	$(PIP) --require-hashes -r requirements-build.lock
	$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@

$(DEV): requirements-dev.lock $(CORE)
	$(PIP) --require-hashes -r requirements-dev.lock
	@touch $@

setup: $(CORE) ## install what running needs into .venv

setup-system: ## install Debian's Java for the Spark tests (root)
	apt-get update -qq
	DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends openjdk-17-jre-headless

run: $(CORE) ## the whole pipeline on a generated shop, in ./shop
	$(BIN)/nextbasket run

checks: $(DEV)
	$(BIN)/ruff check --quiet .
	$(BIN)/ruff format --check --quiet .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

quick: checks ## all checks and the quick tests
	$(BIN)/pytest -m "not slow and not spark and not soak" -n 2 --dist loadfile -q

test: checks ## all checks and all tests (under 25 minutes on 2 cores)
	$(BIN)/pytest -m "not soak" -n 2 --dist loadfile --durations=15 --junit-xml=build/test-report.xml

soak: $(DEV) ## the long proofs: full kill counts, full scale; writes docs/proof/
	$(BIN)/pytest -m soak --durations=0 --timeout=7200 -s

bench: $(DEV) ## ours beside the peers, interleaved; writes docs/proof/
	$(BIN)/python bench/run.py

lock: $(DEV) ## resolve the dependencies again
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header --all-extras pyproject.toml -o requirements-dev.lock
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header -c requirements-dev.lock pyproject.toml -o requirements.lock
	echo 'hatchling\neditables' | $(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header -c requirements-dev.lock - -o requirements-build.lock

clean: ## remove what make made, not the shop
	rm -rf $(VENV) build dist bench/work
