# make demo   install what is missing, fetch weights, start the app on http://127.0.0.1:7860
# make test   the same set-up plus what tests need, then all tests
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export GRADIO_ANALYTICS_ENABLED := False

.PHONY: demo test weights lint clean

demo: weights
	$(BIN)/python app.py

test: weights $(VENV)/.tests
	$(BIN)/ruff check .
	$(BIN)/python -m pytest

weights: $(VENV)/.app
	$(BIN)/python -m models.weights

lint: $(VENV)/.tests
	$(BIN)/ruff check --fix .

$(VENV)/.app: requirements.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --disable-pip-version-check -r requirements.txt
	touch $@

$(VENV)/.tests: tests/requirements.txt $(VENV)/.app
	$(BIN)/python -m pip install --disable-pip-version-check -r tests/requirements.txt
	touch $@

clean:
	rm -rf $(VENV) .pytest_cache .ruff_cache
