# make serve           the service with the bundled model on http://localhost:8000 (no torch)
# make phone           the same by https for a phone nearby, with a QR code of its address
# make test            all tests but the one that needs a Docker engine: make compose-test
# make check           ruff, mypy, import-linter
# make train, export   a new model; ARGS="…" passes options on
PYTHON ?= python3
PROVIDER ?= cpu

# pip compiles every file that it installs; Python by itself only those that are imported.
export PIP_NO_COMPILE := 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1

SERVICE := .venv/bin/python
DEV := .venv-dev/bin/python
SERVICE_READY := .venv/ready-$(PROVIDER)
DEV_READY := .venv-dev/ready

.PHONY: serve phone test check format train export compose-test

serve: $(SERVICE_READY)
	$(SERVICE) -m service $(ARGS)

phone: .venv/phone-ready
	$(SERVICE) -m service.phone $(ARGS)

test: $(DEV_READY)
	$(DEV) -m pytest -m "not deploy" $(ARGS)

compose-test: $(DEV_READY)
	$(DEV) -m pytest -m deploy $(ARGS)

check: $(DEV_READY)
	$(DEV) -m ruff check
	$(DEV) -m ruff format --check
	.venv-dev/bin/lint-imports
	$(DEV) -m mypy

format: $(DEV_READY)
	$(DEV) -m ruff check --fix
	$(DEV) -m ruff format

train: $(DEV_READY)
	$(DEV) -m export train $(ARGS)

export: $(DEV_READY)
	$(DEV) -m export onnx $(ARGS)

# A changed pin makes the environment anew; a second run installs nothing.
$(SERVICE_READY): pyproject.toml constraints/needs.py constraints/runtime.txt constraints/$(PROVIDER).txt
	$(PYTHON) constraints/needs.py $(PROVIDER) > /dev/null
	$(PYTHON) -m venv --clear .venv
	$(SERVICE) constraints/needs.py $(PROVIDER) > .venv/needs.txt
	$(SERVICE) -m pip install -q -c constraints/$(PROVIDER).txt -r .venv/needs.txt
	touch $@

.venv/phone-ready: $(SERVICE_READY) constraints/phone.txt
	$(SERVICE) constraints/needs.py phone > .venv/phone-needs.txt
	$(SERVICE) -m pip install -q -c constraints/phone.txt -r .venv/phone-needs.txt
	touch $@

$(DEV_READY): pyproject.toml constraints/needs.py $(addprefix constraints/,runtime.txt cpu.txt export.txt otel.txt phone.txt dev.txt)
	$(PYTHON) constraints/needs.py > /dev/null
	$(PYTHON) -m venv --clear .venv-dev
	$(DEV) constraints/needs.py cpu export dev > .venv-dev/needs.txt
	$(DEV) -m pip install -q -c constraints/dev.txt -r .venv-dev/needs.txt
	touch $@
