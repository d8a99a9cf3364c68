# make run    install what is locked, then the server, this machine's agent and the console
# make test   install what is locked, then the tests
# make help   the rest

VENV ?= .venv
BIN := $(VENV)/bin
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	command -v $$p >/dev/null 2>&1 && $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& { echo $$p; break; }; done)
READY := $(VENV)/.ready
# How many examples each property test takes in `make test`, other ones each time; .ci/run asks for more.
EXAMPLES ?= 15
NOT_UNIT := real or scenario or faults or screen or peers
STORIES := --ignore tests/real --ignore tests/faults --ignore tests/scenarios --ignore tests/server/http
# By several processes, each of which takes the next test in the order that is drawn in tests/conftest.py.
SHARED := --dist loadgroup --no-loadscope-reorder -p no:randomly
# Each process loads them for half a second; the order is drawn in tests/conftest.py, by ORDER.
SPARED := -p no:randomly -p no:textual-snapshot -p no:syrupy
# The first time pytest rewrites all files, and Hypothesis reads them for constants: once, not in each process.
# One property test asks for both; who only runs the server need not wait for that.
REWRITE_TESTS := TOCSIN_EXAMPLES=1 $(BIN)/pytest -n 0 -qq -k test_a_line_has_no_breaks >/dev/null || true
# In memory, where there are 2 GiB: a test's folder lasts milliseconds, and a disk takes as long for each commit.
IN_MEMORY := $(shell df -kP /dev/shm 2>/dev/null | awk 'NR == 2 && $$4 > 2097152 { print "TMPDIR=/dev/shm" }')
ORDER ?= $(shell date +%s)
ORDER := $(ORDER)
# Python keeps what it has compiled, whatever the shell says.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: help run test unit unit-1/2 unit-2/2 check format bench soak faults faults-short fuzz lock wheel clean

help:
	@grep -E '^# make|^## ' $(MAKEFILE_LIST) | sed -e 's/^# make/make/' -e 's/^## //'

## make unit          what stays within its room: no other process, no peer, no screen, no whole command or API (seconds)
## make check         format, lint, types, import contracts
## make format        put the source into its format
## make bench         the benchmarks, each beside its peer
## make soak          an hour of 1,000 simulated hosts: what grows (HOSTS, MINUTES)
## make faults-short  kill -9, power cuts, disks that fail, devices that go down: the short form
## make faults        the same, the long form
## make fuzz          texts of all kinds to whatever reads texts, TOCSIN_FUZZ_S seconds in all (600)
## make lock          resolve requirements.lock anew
## make wheel         build dist/*.whl
## make clean         remove what make has made; data folders stay

$(READY): requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "tocsin needs Python 3.11 or newer:  sudo apt-get install python3" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "$(PYTHON) has no venv:  sudo apt-get install $$($(PYTHON) -c 'import sys; print("python3.%d-venv" % sys.version_info[1])')" >&2; exit 1; }
	@echo "preparing $(VENV) with $$($(PYTHON) --version), about a minute the first time"
	@$(PYTHON) -m venv --clear $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps -e .
	@$(BIN)/python -m compileall -q agent server tui
	$(if $(filter run,$(MAKECMDGOALS)),,@$(REWRITE_TESTS))
	@touch $@

run: $(READY)
	@exec $(BIN)/tocsin up

test: $(READY)
	@echo "in the order that make test ORDER=$(ORDER) repeats"
	$(IN_MEMORY) TOCSIN_EXAMPLES=$(EXAMPLES) TOCSIN_ORDER=$(ORDER) $(BIN)/pytest -n 4 $(SHARED) -m "not faults"

unit: $(READY)
	@echo "in the order that make unit ORDER=$(ORDER) repeats"
	@$(MAKE) --no-print-directory --jobs 2 --output-sync=line ORDER=$(ORDER) unit-1/2 unit-2/2

# Each process reads and runs its own half of the files: with xdist both would read all, and talk of each test.
unit-1/2 unit-2/2: unit-%:
	@$(IN_MEMORY) LANGUAGE=C TOCSIN_EXAMPLES=10 TOCSIN_ORDER=$(ORDER) TOCSIN_PART=$* TOCSIN_LEFT_OUT="$(NOT_UNIT)" \
		$(BIN)/pytest -n 0 -q $(SPARED) -m "not ($(NOT_UNIT))" $(STORIES)

check: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(READY)
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format --quiet .

bench: $(READY)
	$(BIN)/python -m bench

soak: $(READY)
	$(BIN)/python -m bench.soak --hosts $(or $(HOSTS),1000) --minutes $(or $(MINUTES),60)

faults-short: $(READY)
	TOCSIN_FAULT_LOOPS=25 TOCSIN_ORDER=$(ORDER) $(BIN)/pytest -n 2 $(SHARED) -m faults --timeout 900

faults: $(READY)
	TOCSIN_FAULT_LOOPS=200 TOCSIN_ORDER=$(ORDER) $(BIN)/pytest -n 2 $(SHARED) -m faults --timeout 7200

# By coverage where atheris is installed (.venv/bin/pip install atheris; there are wheels for x86-64 only).
fuzz: $(READY)
	nice $(BIN)/python -m tests.fuzz

lock:
	uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header \
		--extra dev --python-version 3.11 pyproject.toml -o requirements.lock

wheel: $(READY)
	$(BIN)/python -m pip wheel --quiet --no-build-isolation --no-deps --wheel-dir dist .

clean:
	rm -rf $(VENV) dist build .mypy_cache .ruff_cache .hypothesis .import_linter_cache
