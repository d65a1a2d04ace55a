# Everything that a developer, or CI, does with a checkout. `make` alone lists the targets.
# It needs make and Python 3.11 or 3.12 with venv (Debian: apt install make python3 python3-venv).
#
#   PYTHON   interpreter that .venv is made with; otherwise the first that works of python3.11, python3.12, python3
#   ARGS     what is passed on by `train` and the tests, for example ARGS="total_env_steps=5000 seed=2"
#   STUDY    study whose runs `results` keeps
#   EXTRAS   extras that are installed; empty for the core dependencies alone

VENV := .venv
BIN := $(VENV)/bin
EXTRAS ?= dev
STUDY ?= humanoid
BROWSERS := chromium chromium-browser google-chrome google-chrome-stable
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest

# Prints an interpreter that really runs (a pyenv shim may exist and fail), is 3.11 or 3.12, and can make a venv.
find_python = for python in $(or $(PYTHON),python3.11 python3.12 python3); do \
	"$$python" -c 'import ensurepip, sys; sys.exit(not (3, 11) <= sys.version_info < (3, 13))' 2>/dev/null \
		&& { echo "$$python"; exit 0; }; done; \
	echo "qtrl: none of '$(or $(PYTHON),python3.11 python3.12 python3)' is a Python 3.11 or 3.12 with venv;" \
		"install one (Debian: python3 python3-venv) or name it: make PYTHON=/path/to/python3.11" >&2; exit 1

.DELETE_ON_ERROR:
.PHONY: help install train demo study-pendulum study-humanoid results test chromium lint types floors format test-slow test-gpu gpu gpu-pages test-peers docs import-all constraints clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

install: $(VENV)/.installed ## Make .venv and install qtrl in it, with the versions of constraints.txt

$(VENV)/.installed: pyproject.toml constraints.txt
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || { \
		python=$$($(find_python)) && echo "Making $(VENV) with $$($$python --version)" && "$$python" -m venv --clear $(VENV); }
	$(BIN)/python -m pip install -c constraints.txt -e ".$(if $(EXTRAS),[$(EXTRAS)])"
	@echo "Compiling the CPU kernel, which would else delay the first run" && $(BIN)/python -c "import torch; \
		from qtrl.quantum import efficient_su2, make_engine; angles = torch.zeros(1, 2, requires_grad=True); \
		make_engine('numba').prepare(efficient_su2(1, 0)).expectations(angles).sum().backward()"
	@touch $@

$(VENV)/.installed-docs: $(VENV)/.installed
	$(BIN)/python -m pip install -c constraints.txt -e ".[docs]"
	@touch $@

$(VENV)/.installed-bench: $(VENV)/.installed
	$(BIN)/python -m pip install -c constraints.txt -e ".[bench]"
	@touch $@

train: install ## Train the hybrid quantum actor on Humanoid-v4; ARGS="key=value ..." overrides
	$(BIN)/python -m qtrl.train experiment=humanoid_pqc $(ARGS)

demo: install ## Train on Pendulum-v1 for a few minutes, test it, show the learning curve and a video
	@run=runs/demo-$$(date +%Y%m%d-%H%M%S) && \
	$(BIN)/python -m qtrl.train experiment=pendulum_pqc total_env_steps=10000 run_dir="$$run" && \
	$(BIN)/python -m qtrl.eval run="$$run" episodes=10 seed=10001 video=true && \
	echo "Learning curve and video:" && ls "$$run/learning_curve.png" "$$run"/videos/*.mp4

study-pendulum: install ## Train blocks and controls on Pendulum-v1 (hours; the same again goes on), write the report
	-$(BIN)/python -m qtrl.train -m experiment=study/pendulum $(ARGS)
	-$(BIN)/python -m qtrl.train -m experiment=study/pendulum sweep=controls $(ARGS)
	$(BIN)/python -m qtrl.report runs=runs/study/pendulum

study-humanoid: install ## Train blocks and plain TD3 on Humanoid-v4 (days; the same again goes on), write the report
	-$(BIN)/python -m qtrl.train -m experiment=study/humanoid $(ARGS)
	-$(BIN)/python -m qtrl.train -m experiment=study/humanoid sweep=controls control=td3 $(ARGS)
	$(BIN)/python -m qtrl.report runs=runs/study/humanoid

results: install ## Keep the finished runs of a study in docs/results, report on all kept (STUDY=humanoid or pendulum)
	$(BIN)/python tests/benchmarks/keep_results.py runs/study/$(STUDY) docs/results/$(STUDY)/data
	$(BIN)/python -m qtrl.report runs=docs/results/$(STUDY)/data out=docs/results/$(STUDY)

test: lint types floors chromium ## Lint, types, floors and the test suite with at least 90 % coverage
	$(PYTEST) -n 2 --dist loadgroup --cov --cov-report=term

# The page of a report is tested in a real browser. Where there is none it is installed if that is possible without
# asking; otherwise those tests are skipped, and say so.
chromium: ## Install Chromium where it is missing (Debian, as root)
	@for name in $(BROWSERS); do command -v $$name >/dev/null && exit 0; done; \
	{ [ "$$(id -u)" = 0 ] && apt-get update -qq && apt-get install --yes -qq --no-install-recommends chromium; } \
		>/dev/null 2>&1 || echo "no Chromium, and none can be installed: tests of the report's page will be skipped"

lint: install ## Check style and formatting
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: install ## Check types
	$(BIN)/mypy

floors: install ## Check who imports whom
	$(BIN)/lint-imports

format: install ## Mend what ruff can mend
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# The suites need another MuJoCo than the rest, so they lie in a folder of their own, which comes first on the path.
$(VENV)/suites/.installed: $(VENV)/.installed tests/envs/suites.txt
	$(BIN)/python -m pip install --no-deps --upgrade --target $(@D) -r tests/envs/suites.txt
	@touch $@

test-slow: install $(VENV)/suites/.installed ## Run the tests that take over 20 s each
	$(PYTEST) -m "slow and not gpu" --durations=0 $(ARGS)
	PYTHONPATH=$(VENV)/suites $(PYTEST) -m slow --durations=0 tests/envs/test_suites.py $(ARGS)

test-gpu: install ## Run the tests that need an accelerator
	$(PYTEST) -m gpu $(ARGS)

gpu: ## Measure everything on a GPU, with the Python at hand (DEVICE=cpu: a dry run)
	$(if $(wildcard $(BIN)/python),$(BIN)/python,python3) tests/benchmarks/gpu.py --device $(or $(DEVICE),cuda) $(ARGS)

gpu-pages: install ## Write docs/benchmarks/gpu.md from what `make gpu` found
	$(BIN)/python tests/benchmarks/gpu_pages.py

test-peers: $(VENV)/.installed-bench ## Compare every engine with PennyLane and Qiskit
	$(PYTEST) -m peers $(ARGS)

docs: $(VENV)/.installed-docs ## Build the documentation into site/, warnings are errors
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

import-all: install ## Import every module (EXTRAS= for the core dependencies alone)
	$(BIN)/python -c "import importlib, pkgutil, qtrl; \
		names = [m.name for m in pkgutil.walk_packages(qtrl.__path__, 'qtrl.')]; \
		[importlib.import_module(name) for name in names]; print(f'{len(names)} modules imported')"

constraints: ## Resolve all dependencies anew and write constraints.txt
	@rm -rf build/constraints && mkdir -p build/constraints
	@python=$$($(find_python)) && "$$python" -m venv build/constraints/venv
	build/constraints/venv/bin/python -m pip install --quiet --dry-run --ignore-installed \
		--report build/constraints/report.json ".[dev,docs,bench]"
	@build/constraints/venv/bin/python .ci/constraints.py build/constraints/report.json >build/constraints/new.txt
	@mv build/constraints/new.txt constraints.txt && rm -rf build/constraints && git --no-pager diff --stat constraints.txt

clean: ## Remove caches and build outputs; .venv and runs stay
	rm -rf build dist site .coverage .coverage.* coverage.xml .hypothesis .import_linter_cache \
		.mypy_cache .pytest_cache .ruff_cache
	find qtrl tests .ci -name __pycache__ -type d -prune -exec rm -rf {} +
