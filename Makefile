.DEFAULT_GOAL := help
SHELL := /bin/bash
PY ?= python3
BIN := .venv/bin
READY := .venv/.ready


help: ## what can be done here
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

$(READY): requirements.lock bootstrap.lock pyproject.toml
	@test -x $(BIN)/python || $(PY) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r bootstrap.lock
	@$(BIN)/uv pip sync --quiet --compile-bytecode --python $(BIN)/python --require-hashes requirements.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@

setup: $(READY) ## the environment, from the lock file

lock: ## renew the lock file from pyproject.toml
	$(BIN)/uv pip compile --quiet pyproject.toml --all-extras --universal --python-version 3.11 --generate-hashes --no-annotate --no-header -o requirements.lock

test: $(READY) kafka ## every test that is not slow (real Kafka and PostgreSQL)
	@$(BIN)/python -m pytest -n 2 --dist loadscope --no-loadscope-reorder --reruns 2 --reruns-delay 1 $(ARGS)

slow: $(READY) kafka ## the long tests: kill slice, what-if, full counts
	@$(BIN)/python -m pytest -m slow --timeout 900 $(ARGS)

kafka: $(READY) ## the broker's pinned jars, checked
	@$(BIN)/python -m deploy.local.kafka.fetch

demo: $(READY) kafka ## the main job on real input, through public doors
	@$(BIN)/jembatan demo $(ARGS)

up: $(READY) kafka ## leave the whole system running, with a token per role
	@$(BIN)/jembatan up $(ARGS)

check: lint types imports contracts-check ## what must hold before a change lands (tests apart)

lint: $(READY)
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .

types: $(READY)
	@$(BIN)/mypy

imports: $(READY)
	@$(BIN)/lint-imports

contracts-check: $(READY)
	@$(BIN)/python -m pytest tests/contract -q

format: $(READY) ## put the code in shape
	@$(BIN)/ruff check --fix . ; $(BIN)/ruff format .

contracts: $(READY) ## write schemas, samples and generated pages from the code
	@$(BIN)/jembatan contracts
	@$(BIN)/python -m tests.support.configuration
	@$(BIN)/python -m tests.unit.placement.lifecycle

bench: $(READY) ## figures of the matching engine beside its peers
	@$(BIN)/python -m tests.bench.matching

.PHONY: help setup lock test slow kafka demo up check lint types imports contracts-check format contracts bench
