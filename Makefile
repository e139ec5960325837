# Two commands do all the set-up: `make run` and `make test`. Each makes its own virtual environment.
PYTHON ?= python3
RUN := .venv
TEST := .venv-test

.PHONY: run batch-signing test check faults format bench docs lock clean help

help:  ## show the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(RUN)/.done: requirements/run.txt pyproject.toml
	$(PYTHON) -m venv $(RUN)
	$(RUN)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/run.txt
	$(RUN)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(TEST)/.done: requirements/test.txt pyproject.toml
	$(PYTHON) -m venv $(TEST)
	$(TEST)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/test.txt
	$(TEST)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

run: $(RUN)/.done  ## start a relay on this machine, send one message through it, and keep it running
	@$(RUN)/bin/gatepost demo $(ARGS)

batch-signing: $(RUN)/.done  ## have RSA signatures made eight at a time (AVX-512 IFMA and a C compiler; optional)
	tools/install_batch_signing $(RUN)

check: $(TEST)/.done  ## formatting, lint, import contracts, types, unit tests and dialogs: the quick ones
	$(TEST)/bin/ruff format --check .
	$(TEST)/bin/ruff check .
	$(TEST)/bin/lint-imports --no-cache
	$(TEST)/bin/mypy
	$(TEST)/bin/pytest -q -n auto tests/architecture tests/unit tests/dialogs tests/benchmarks \
	    tests/faults/test_checker.py tests/faults/test_crash_states.py

test: check  ## everything: check, then contracts, scenarios and compatibility with real clients and servers
	tools/install_test_programs
	tools/install_batch_signing --if-useful $(TEST)
	@# Tests start the program some thousand times, and those processes write no bytecode.
	$(TEST)/bin/python -m compileall -q src
	$(TEST)/bin/pytest -q -n 2 --dist loadfile tests/contracts tests/scenarios tests/compatibility

faults: $(TEST)/.done  ## the small size of the fault campaign: kills, power cuts, disk, DNS and clock faults
	$(TEST)/bin/pytest -q tests/faults $(ARGS)

format: $(TEST)/.done  ## format and mend what ruff can
	$(TEST)/bin/ruff check --fix .
	$(TEST)/bin/ruff format .

bench: $(TEST)/.done  ## the benchmark beside Postfix and Haraka (needs root, Debian's packages and npm)
	$(TEST)/bin/python -m benchmarks $(ARGS)

docs: $(TEST)/.done  ## write the pages of docs/reference that are made from the code
	$(TEST)/bin/python -m tools.pages

lock:  ## write requirements/*.txt anew
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	    pyproject.toml requirements/run.in -o requirements/run.txt
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	    pyproject.toml requirements/test.in -c requirements/run.txt -o requirements/test.txt

clean:  ## remove the virtual environments and caches
	rm -rf $(RUN) $(TEST) .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist
