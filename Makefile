# make train   create .venv, then train Breakout from scratch to its target score
# make test    create .venv, then run every test
# make check   lint, and the tests of files that differ from BASE (main), with the install of make dev
# make dev     an editable install that rebuilds itself when a source changes
# make bench   steps per second of every game, alone, with inference and with training
#
# All output goes to .venv, build and runs. For another torch: make train TORCH=torch==2.9.1

PYTHON ?= python3
VENV ?= .venv
TORCH ?= $(shell grep '^torch==' python/constraints.txt)
BASE ?= main
# What make test installs. CI adds interop-tests, the libraries of docs/interoperability.md.
EXTRAS ?= train,render,dev
# Test processes. Tests wait for child processes and files about a third of their time, so one more than two cores.
JOBS ?= 3
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install -q -c $(VENV)/constraints.txt
SOURCES := $(shell find csrc python third_party -type f -not -path '*/__pycache__/*' 2>/dev/null) CMakeLists.txt pyproject.toml
# The wheel to install; tests of packages use it too.
WHEEL := $$(echo build/wheel/pufferc-*.whl)
# Runs the tools of .venv. The environment selects Ninja, so that a build folder configured for make keeps its
# generator.
TOOLS := PATH="$(CURDIR)/$(BIN):$$PATH" CMAKE_GENERATOR=Ninja
CTEST := $(TOOLS) ctest --test-dir build/dev --output-on-failure -j 2
LINT := $(BIN)/ruff check python tests examples benchmarks && $(BIN)/mypy
# A process takes all quick tests of a file, or one slow test; see pytest_collection_modifyitems in conftest.py.
PYTEST := $(BIN)/python -m pytest -n $(JOBS) --dist loadgroup --no-loadscope-reorder

ifneq ($(shell command -v ccache),)
export CMAKE_C_COMPILER_LAUNCHER ?= ccache
export CMAKE_CXX_COMPILER_LAUNCHER ?= ccache
export CCACHE_BASEDIR ?= $(CURDIR)
export CCACHE_NOHASHDIR ?= 1
endif

.PHONY: train test check dev bench lint clean
.NOTPARALLEL:

train: $(VENV)/.installed
	$(BIN)/pufferc train breakout
	-$(BIN)/pufferc eval breakout --episodes 100 --record runs/breakout.gif

test: $(VENV)/.installed-dev
	$(TOOLS) cmake --preset dev
	$(TOOLS) cmake --build build/dev
	@{ $(LINT); } > build/lint.log 2>&1 & lint=$$!; \
	tested=0; $(CTEST) || tested=$$?; \
	wait $$lint || { cat build/lint.log; exit 1; }; exit $$tested
	PUFFERC_WHEEL="$(CURDIR)/$(WHEEL)" $(PYTEST)

# tests/changed.py maps files to tests. The import before it rebuilds the install once; later imports find it up to
# date.
check: $(VENV)/.editable
	$(LINT)
	$(BIN)/python -c 'import pufferc'
	@set -e; wanted=" $$($(BIN)/python tests/changed.py $(BASE)) "; \
	case "$$wanted" in *" c "*) \
	  $(TOOLS) cmake --preset dev >/dev/null; $(TOOLS) cmake --build build/dev; $(CTEST) -LE slow;; esac; \
	files=$$(echo "$$wanted" | tr ' ' '\n' | grep '[.]py$$' || true); \
	if [ -n "$$files" ]; then $(PYTEST) -q -m 'not slow' $$files; fi

lint: $(VENV)/.installed-dev
	$(LINT)

dev: $(VENV)/.editable

bench: $(VENV)/.installed
	$(BIN)/pufferc bench

clean:
	rm -rf build dist $(VENV)

$(VENV)/.tools: python/constraints.txt
	@$(PYTHON) -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 10))' \
	  || { echo "make: $(PYTHON) must be Python 3.10 or later with venv (Debian: apt-get install python3-venv)"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	{ grep -v '^torch==' python/constraints.txt; echo '$(TORCH)'; } > $(VENV)/constraints.txt
	$(BIN)/python -m pip install -q '$(TORCH)'
	@touch $@

# The build requirements of pyproject.toml, in .venv instead of a temporary environment of pip: later builds compile
# only what changed, and need no network.
$(VENV)/.build-tools: $(VENV)/.tools pyproject.toml
	$(INSTALL) 'scikit-build-core>=0.11' 'pybind11>=3.0' cmake ninja \
	  "pyb2d3==0.11.1; sys_platform == 'linux' and platform_machine == 'x86_64'"
	@touch $@

# Builds the package once, for the installs below and for tests that need a wheel.
$(VENV)/.wheel: $(VENV)/.build-tools $(SOURCES)
	@echo "compiling pufferc: a minute or two, longer with nvcc"
	rm -rf build/wheel
	$(BIN)/python -m pip wheel -q --no-deps --no-build-isolation -w build/wheel .
	@touch $@

# pip skips a wheel whose version is already installed, so reinstall pufferc itself first.
$(VENV)/.installed: $(VENV)/.wheel
	$(INSTALL) --no-deps --force-reinstall "$(WHEEL)"
	$(INSTALL) "$(WHEEL)[train,render]"
	@rm -f $(VENV)/.editable; touch $@

$(VENV)/.installed-dev: $(VENV)/.wheel
	$(INSTALL) --no-deps --force-reinstall "$(WHEEL)"
	$(INSTALL) "$(WHEEL)[$(EXTRAS)]"
	@rm -f $(VENV)/.editable; touch $@ $(VENV)/.installed

$(VENV)/.editable: $(VENV)/.build-tools
	$(INSTALL) --no-build-isolation --config-settings editable.rebuild=true --config-settings build-dir=build/editable -e '.[train,render,dev]'
	@rm -f $(VENV)/.installed $(VENV)/.installed-dev; touch $@
