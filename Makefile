# Needs python3 (3.11 or newer, with venv) and make. Everything else goes into .venv, by uv when it is on the PATH.
#
#   make         the demo                     make cover   the tests of the pure storeys, which take their every branch
#   make test    every test                   make rest    the tests that `make cover` leaves out
#   make check   format, lint, types          make bench   the benchmarks
#   make clean   away with what was made      make soak    the tests that run for minutes
#
# Tests of a file stay on one worker: the examples of a page go on from one another. ARGS goes to pytest: make test ARGS="-k deadline". PYTHON chooses the interpreter: make PYTHON=python3.12.

PYTHON ?= python3
BIN := .venv/bin
PYTEST := -m pytest -n auto --dist loadfile

# Under coverage, tests take twice as long: only those run so that must take every branch by themselves.
PURE := src/bide/policy/*,src/bide/language/*,src/bide/engine/*
PURE_TESTS := tests/unit/policy tests/unit/language tests/unit/engine tests/scenarios tests/properties

# Kept, bytecode makes the tests that start processes twice as fast, and every session begin sooner.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := demo
.PHONY: demo test check cover rest bench soak clean
.DELETE_ON_ERROR:

demo: .venv/.demo
	@$(BIN)/bide demo

test: .venv/.test
	@$(BIN)/python $(PYTEST) $(ARGS)

check: .venv/.test
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/pyright

cover: .venv/.test
	@$(BIN)/coverage erase
	@$(BIN)/coverage run $(PYTEST) $(PURE_TESTS) $(ARGS)
	@$(BIN)/coverage combine -q
	@$(BIN)/coverage report --include='$(PURE)' --fail-under=100

rest: .venv/.test
	@$(BIN)/python $(PYTEST) $(PURE_TESTS:%=--ignore=%) $(ARGS)

bench: .venv/.test
	@set -e; for file in benchmarks/[a-z]*.py; do echo "== $$file"; $(BIN)/python $$file; done

soak: .venv/.test
	@$(BIN)/python -m pytest -m soak $(ARGS)

clean:
	rm -rf .venv .nox build dist .coverage .hypothesis .mypy_cache .pytest_cache .ruff_cache docs/_build

# A stamp a set of extras: `make` alone need not wait for the test tools.
.venv/.demo: .venv/pyvenv.cfg pyproject.toml constraints.txt
	@echo "installing bide into .venv ..." && $(call install,.[cli$(comma)httpx]) && touch $@

.venv/.test: .venv/pyvenv.cfg pyproject.toml constraints.txt
	@echo "installing bide and its test tools into .venv ..." && $(call install,.[test]) && touch .venv/.demo $@

.venv/pyvenv.cfg:
	@command -v $(PYTHON) >/dev/null || { echo "bide needs Python 3.11 or newer; '$(PYTHON)' is not on the PATH." >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "bide needs Python 3.11 or newer; '$(PYTHON)' is `$(PYTHON) -V 2>&1 | head -n 1`. Try: make PYTHON=python3.12" >&2; exit 1; }
	@if command -v uv >/dev/null; then uv venv -q --allow-existing -p $(PYTHON) .venv; \
	elif $(PYTHON) -c 'import ensurepip, venv' 2>/dev/null; then $(PYTHON) -m venv .venv; \
	else echo "'$(PYTHON)' cannot make virtual environments. On Debian and Ubuntu: apt install python3-venv" >&2; exit 1; fi
	@touch $@

comma := ,
install = if command -v uv >/dev/null; then uv pip install -q -p $(BIN)/python -c constraints.txt -e '$(1)'; \
  else $(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt -e '$(1)'; fi
