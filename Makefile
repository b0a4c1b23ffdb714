# make train   set everything up, then train Breakout from nothing to its target
# make test    the same set-up, then every test
# make dev     an editable install that rebuilds itself when a source changes
# make bench   steps per second of every game, alone, with inference and with training
#
# Everything lands in .venv and build. Another torch: make train TORCH=torch==2.9.1

PYTHON ?= python3
VENV ?= .venv
TORCH ?= $(shell grep '^torch==' python/constraints.txt)
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install -q -c $(VENV)/constraints.txt
SOURCES := $(shell find csrc python third_party -type f -not -path '*/__pycache__/*' 2>/dev/null) CMakeLists.txt pyproject.toml

.PHONY: train test dev bench lint clean
.NOTPARALLEL:

train: $(VENV)/.installed
	$(BIN)/pufferc train breakout
	-$(BIN)/pufferc eval breakout --episodes 100 --record runs/breakout.gif

# Ninja by the environment: a build folder that was configured for make before keeps its generator.
test: $(VENV)/.installed-dev
	PATH="$(CURDIR)/$(BIN):$$PATH" CMAKE_GENERATOR=Ninja cmake --preset dev
	PATH="$(CURDIR)/$(BIN):$$PATH" cmake --build build/dev
	PATH="$(CURDIR)/$(BIN):$$PATH" ctest --test-dir build/dev --output-on-failure
	$(MAKE) lint
	$(BIN)/python -m pytest

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check python tests examples benchmarks
	$(BIN)/mypy

dev: $(VENV)/.build-tools
	$(INSTALL) --no-build-isolation -C editable.rebuild=true -C build-dir=build/editable -e '.[train,render,dev]'

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

# What pyproject.toml asks for, in .venv rather than in an environment of pip's for each build: a second build compiles
# what has changed, and needs no network.
$(VENV)/.build-tools: $(VENV)/.tools pyproject.toml
	$(INSTALL) 'scikit-build-core>=0.11' 'pybind11>=3.0' cmake ninja \
	  "pyb2d3==0.11.1; sys_platform == 'linux' and platform_machine == 'x86_64'"
	@touch $@

$(VENV)/.installed: $(VENV)/.build-tools $(SOURCES)
	@echo "compiling pufferc: a minute or two, longer with nvcc"
	$(INSTALL) --no-build-isolation '.[train,render]'
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.build-tools $(SOURCES)
	@echo "compiling pufferc: a minute or two, longer with nvcc"
	$(INSTALL) --no-build-isolation '.[train,render,dev]'
	@touch $@ $(VENV)/.installed
