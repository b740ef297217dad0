# Needs a Python 3 (any) and make. What a target needs is made first, in `.venv`; nothing has to be activated.
# ARGS are passed on:  make fit ARGS="overall --draws 500"    make test ARGS="-k pooling"

.POSIX:
SHELL = /bin/sh
ARGS =
BIN = .venv/bin
WORKERS = 2

.PHONY: help install fit test test-slow test-lowest lint docs reference blocks calibrate bench lock release clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile

install: ## make .venv (800 MB; under a minute the first time) from requirements.lock; instant when it is current
	@sh scripts/install.sh

fit: install ## run `alkbayes fit $ARGS`
	@$(BIN)/alkbayes fit $(ARGS)

test: install ## run the tests but the slow ones: `pytest $ARGS`
	@$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile -m "not slow" $(ARGS)

test-slow: install ## run the tests that are slow by nature: whole matrices, long chains, PyMC's own densities
	@$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile -m slow $(ARGS)

test-lowest: ## run a core of the tests with the lowest versions of dependencies that pyproject.toml allows, in build/lowest
	@sh scripts/test_lowest.sh $(ARGS)

lint: install ## ruff (rules and formatting) and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: install ## build the site in build/docs, offline; any warning, dead link or request to another host fails it
	@$(BIN)/python -m sphinx -W --keep-going -q -E -j $(WORKERS) -b html docs build/docs
	@$(BIN)/python scripts/check_site.py build/docs

blocks: install ## run the commands that pages show with their output, and bring the output up to date; ARGS: pages
	@$(BIN)/python scripts/docs_blocks.py $(ARGS)

reference: install ## write the pages and schemas that are generated from the program
	@$(BIN)/python scripts/reference.py

calibrate: install ## make, or go on with, the calibration studies that validation/sbc records
	@sh scripts/calibrate.sh $(ARGS)

bench: install ## time the program: benchmarks/bench.py $ARGS
	@$(BIN)/python benchmarks/bench.py $(ARGS)

lock: ## bring requirements.lock in line with pyproject.toml; ARGS=--upgrade takes the newest versions
	@sh scripts/uv.sh pip compile --quiet --universal --python-version 3.12 --group dev --group docs --group release --generate-hashes \
		--no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" \
		--output-file requirements.lock $(ARGS) pyproject.toml

release: install ## build sdist and wheel in dist/ and check them; uploads nothing
	rm -rf dist
	@sh scripts/uv.sh build --quiet --build-constraints requirements.lock
	$(BIN)/twine check --strict dist/*
	$(BIN)/check-wheel-contents dist/*.whl

clean: ## remove what make and the tools made: .venv, .uv, caches, build products (not runs/)
	rm -rf .venv .uv .mypy_cache .pytest_cache .ruff_cache .hypothesis .benchmarks build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
