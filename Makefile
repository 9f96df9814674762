# Two commands are enough: `make demo` and `make test`. Everything else they need, they fetch.
UV := $(or $(shell command -v uv),.uv/bin/uv)
RUN := $(UV) run --frozen --quiet
export UV_COMPILE_BYTECODE := 1

.DEFAULT_GOAL := help
.PHONY: help demo test test-all test-crashes check format audit bench bench-scale docs reference package clean

help: ## show this
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

demo: env ## run the main job on generated data
	@$(RUN) clickstream demo

# In three processes, on two cores: those that ask S3 wait for half of their time.
PYTEST := $(RUN) pytest -n 3 --dist loadfile --no-loadscope-reorder

test: env ## run the tests, in minutes
	@$(PYTEST) -m "not exhaustive"

test-all: env ## run the tests and the long searches, see docs/testing.md
	@$(PYTEST) --hypothesis-profile exhaustive

test-crashes: env ## kill a run and every command at every moment; part of test-all
	@$(RUN) pytest -n 2 --dist loadfile -m exhaustive tests/spark/test_crash.py tests/spark/test_killed.py

check: env ## lint, format, types and the laws of imports
	@$(RUN) ruff check .
	@$(RUN) ruff format --check .
	@$(RUN) mypy
	@$(RUN) lint-imports

format: env ## fix what lint and format can fix
	@$(RUN) ruff check --fix .
	@$(RUN) ruff format .

audit: env ## compare what is locked with known weaknesses; fails on a critical one that can be reached
	@$(RUN) python -m supply_chain.audit

bench: env ## measure 1,000,000 and 4,000,000 events
	@$(RUN) python -m benchmarks.run

bench-scale: env ## measure what grows with what is stored, at a tenth; FACTOR=1 for the whole
	@$(RUN) python -m benchmarks.scale --factor $(or $(FACTOR),0.1)

docs: env ## build the documentation's site into site/; fails on a broken link
	@NO_MKDOCS_2_WARNING=1 $(RUN) --group docs mkdocs build

reference: env ## write the reference pages of docs/ from the code
	@$(RUN) python -m docs_site

package: env ## make what is uploaded to AWS, in dist/
	@$(RUN) clickstream package --out dist

clean: ## remove what was made here
	rm -rf .venv .uv .demo .bench dist site .pytest_cache .mypy_cache .ruff_cache .hypothesis

.PHONY: env
env: $(if $(filter .uv/%,$(UV)),.uv/bin/uv)
	@$(UV) sync --frozen --quiet
	@$(RUN) --no-sync python -m streaming_app.spark.jars

.uv/bin/uv:
	@python3 -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed, this is " + sys.version)'
	@python3 -m venv .uv
	@.uv/bin/pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: -r supply_chain/uv.txt
