# Two commands matter: `make book` builds the book, `make test` checks everything.
# Both do all their set-up first; a second run repeats none of it.

PYTHON ?= $(shell for p in python3.12 python3.11 python3 python; do \
  if command -v $$p >/dev/null 2>&1 && \
     $$p -c 'import ensurepip, sys; sys.exit(sys.version_info[:2] not in ((3, 11), (3, 12)))' 2>/dev/null; \
  then echo $$p; exit; fi; done; command -v python3 || echo python3-not-found)
PORT ?= 8000
VENV := .venv/bin
SITE := _build/html
# The notebooks as the pages offer them for download, each alone in a folder.
COPIES := _build/travelling
# One more than the two cores of CI: who waits for a browser leaves a core to others.
WORKERS ?= 3
NBVAL := --nbval --nbval-cell-timeout 600 --nbval-sanitize-with tests/nbval_sanitize.cfg
export OMP_NUM_THREADS ?= 1
export HF_HUB_OFFLINE ?= 1
export PYTHONHASHSEED ?= 0

.DEFAULT_GOAL := help
.PHONY: help environment assets book pdf gpu site test check test-notebook conditions execute serve mini corpus wer lint lock clean

help: ## Say what there is to make
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' Makefile

environment: ## Make .venv with the exact locked versions (first run: minutes)
	@command -v $(PYTHON) >/dev/null 2>&1 || { echo "No Python was found: install Python 3.11 \
	or 3.12 first." >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 7))' 2>/dev/null || { echo \
	"$(PYTHON) does not start or is too old: install Python 3.11 or 3.12 first." >&2; exit 1; }
	@$(PYTHON) tools/bootstrap.py

assets: environment ## Fetch the browser files that the pages need
	@$(VENV)/python -m helpers.site.commands.assets

site: assets
	@$(VENV)/python -m helpers.site.commands.build

book: site ## Build the book and say where it is
	@echo "The book is at $(CURDIR)/$(SITE)/index.html"

pdf: book ## Print the whole book as one PDF
	@$(VENV)/python -m helpers.site.commands.pdf

# The hubs of weights and data have to be reached here.
gpu: export HF_HUB_OFFLINE := 0
gpu: assets ## Your own edition, measured on your GPU (BOOK_MODEL, BOOK_DATA; QUICK=1 tries the way)
	@$(VENV)/python -m helpers.site.commands.gpu_edition $(if $(QUICK),--quick)

check: environment lint ## Lint and the quick tests: no process, training, browser or site (minutes)
	@TQDM_DISABLE=1 $(VENV)/pytest -n 2 --dist loadfile -m "not slow and not site" tests

test-notebook: site ## Run one notebook and compare its outputs (NAME=learning_rate)
	@test -f "notebooks/$(NAME).ipynb" || { echo "Say which notebook, as in NAME=learning_rate; \
	notebooks/ has $$(cd notebooks && ls *.ipynb | sed 's/.ipynb//' | tr '\n' ' ')" >&2; exit 1; }
	@TQDM_DISABLE=1 $(VENV)/pytest $(NBVAL) "$(COPIES)/$(NAME)"

test: site ## Check everything: code, notebooks, the built site in a real browser
	@$(VENV)/python -m helpers.site.commands.system speech
	@$(MAKE) --no-print-directory lint
	@browser="$$($(VENV)/python -m helpers.site.commands.system browser)" || exit 1; \
	  BOOK_BROWSER="$$browser" TQDM_DISABLE=1 \
	  $(VENV)/pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(NBVAL) $(COPIES) tests

conditions: environment ## Test in a clone as on another machine (CONDITION=arithmetic TESTS=tests/site)
	@$(VENV)/python tools/conditions.py $(or $(CONDITION),--help) $(TESTS)

execute: environment ## Run changed notebooks and store their outputs (ALL=1: every notebook)
	@$(VENV)/python -m helpers.site.commands.execute $(if $(ALL),--all) $(NAMES)

serve: ## Show the built book at PORT (8000)
	@$(VENV)/python -m helpers.site.commands.serve $(PORT)

corpus: environment ## Make the committed speech again (needs espeak-ng and flite)
	@$(VENV)/python -m helpers.site.commands.system speech
	@$(VENV)/python -m helpers.speech.corpus sets

mini: environment ## Pretrain the mini: speech synthesis, then training (hours on a CPU)
	@$(VENV)/python -m helpers.site.commands.system speech
	@$(VENV)/python -m helpers.speech.corpus training
	@$(VENV)/python -m helpers.pretraining.pretrain

wer: environment ## Measure the mini's word error rates and write its model card
	@$(VENV)/python -m helpers.pretraining.wer --record
	@$(VENV)/python -m helpers.pretraining.model_card

lint: environment ## Check style and the workflow file
	@$(VENV)/ruff check .
	@$(VENV)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml

lock: environment ## Resolve requirements.lock again from pyproject.toml
	@$(VENV)/python -m pip install --quiet uv
	@$(VENV)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	  --no-emit-index-url --no-header --no-annotate --no-emit-package funasr-preflight \
	  pyproject.toml src/pyproject.toml -o requirements.lock

clean: ## Remove the build and caches, keep .venv
	@rm -rf _build .pytest_cache .ruff_cache
