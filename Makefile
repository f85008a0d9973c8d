# make demo   install what is missing, fetch weights, start the app on http://127.0.0.1:7860
# make test   the same set-up plus what tests need, then all tests, WORKERS files at a time, each on one core
# make audit  known weaknesses and the licences of everything that is installed
# make upgrade-check   the newest of everything in a scratch environment, and whether the application works with it
# make space  what a Hugging Face Space installs, in a scratch environment with its Python, and whether it works with it
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
WORKERS := 2
export GRADIO_ANALYTICS_ENABLED := False

AUDIT := build/audit
UPGRADE := build/upgrade
SPACE := build/space
SPACE_PYTHON ?= python3.12
# licences under which everything that is installed may be used and passed on; another one fails the audit
LICENCES := Apache;MIT;BSD;ISC;Python Software Foundation;PSF;Mozilla Public License;MPL;HPND;Unlicense;Zlib;CC0;0BSD
# tests that go through the whole application with the fake model: what an upgrade breaks first
SMOKE := tests/test_doors.py tests/test_callers.py tests/test_api.py tests/test_session.py tests/visitors/test_files.py

.PHONY: demo test weights lint audit upgrade-check space clean

demo: weights
	$(BIN)/python app.py

test: weights $(VENV)/.tests
	$(BIN)/ruff check .
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder

weights: $(VENV)/.app
	$(BIN)/python -m models.weights

lint: $(VENV)/.tests
	$(BIN)/ruff check --fix .

audit: $(VENV)/.app
	$(PYTHON) -m venv $(AUDIT)
	$(AUDIT)/bin/python -m pip install --quiet --disable-pip-version-check pip-audit==2.10.1 pip-licenses==5.5.5
	$(AUDIT)/bin/pip-licenses --python $(BIN)/python --from mixed --partial-match --allow-only "$(LICENCES)"
	$(AUDIT)/bin/pip-audit --strict --path $$($(BIN)/python -c "import sysconfig; print(sysconfig.get_path('purelib'))")

# torch stays: other specs than its pin pull CUDA
upgrade-check:
	rm -rf $(UPGRADE)
	$(PYTHON) -m venv $(UPGRADE)
	sed -E '/^torch==/!s/==[^ #]+//' requirements.txt tests/requirements.txt > $(UPGRADE)/newest.txt
	$(UPGRADE)/bin/python -m pip install --quiet --disable-pip-version-check -r $(UPGRADE)/newest.txt
	$(UPGRADE)/bin/python -m pip list --format freeze | sort > $(UPGRADE)/installed.txt
	@echo "Pins that are no longer the newest:"
	@grep -ohE '^[A-Za-z0-9_.-]+==[^ ]+' requirements.txt tests/requirements.txt | sort | comm -23 - $(UPGRADE)/installed.txt
	$(UPGRADE)/bin/python -m pytest -q $(SMOKE)

space: $(VENV)/.app
	rm -rf $(SPACE)
	$(SPACE_PYTHON) -m venv $(SPACE)
	$(BIN)/python -c "from demo.space_check import added; print(*added(), sep='\n')" > $(SPACE)/added.txt
	$(SPACE)/bin/python -m pip install --quiet --disable-pip-version-check -r requirements.txt -r $(SPACE)/added.txt
	$(SPACE)/bin/python -m pip install --quiet --disable-pip-version-check -r tests/requirements.txt
	$(SPACE)/bin/python -m compileall -q -f app.py assets demo docs models tests
	$(SPACE)/bin/python -m pytest -q $(SMOKE)

$(VENV)/.app: requirements.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --disable-pip-version-check -r requirements.txt
	touch $@

$(VENV)/.tests: tests/requirements.txt $(VENV)/.app
	$(BIN)/python -m pip install --disable-pip-version-check -r tests/requirements.txt
	touch $@

clean:
	rm -rf $(VENV) .pytest_cache .ruff_cache
