# Short names for what CMake, CTest and the scripts do. `make help` lists them.
.DEFAULT_GOAL := build
.PHONY: help build deps run test check bench lint models api install test-debug test-asan test-tsan test-cross \
        test-clients soak fuzz fuzz-merge clean

BUILD  ?= build
PREFIX ?= /usr/local
JOBS   ?= $(shell nproc)
PRESET ?= debug
CONFIGURE = cmake -S . -G Ninja

help:
	@echo 'make             build $(BUILD)/ingle (Release)'
	@echo 'make run         install what is missing, build, let the bundled model tell a story'
	@echo 'make test        install what is missing, build, run the whole test suite'
	@echo 'make check       the quick part of it, after a change'
	@echo 'make bench       measure the bundled model, or MODEL=FILE'
	@echo 'make models      measure every family (INGLE_DATA=FOLDER) and write docs/models.md'
	@echo 'make api         write docs/api.md, the interface of ingle serve, from its tables'
	@echo 'make lint        include order, formatting, warnings of gcc and clang, circles of files, cppcheck'
	@echo 'make install     libraries, header, program, man page, completion into PREFIX=$(PREFIX)'
	@echo 'make test-debug  the quick part of the suite with assertions'
	@echo 'make test-asan   the suite under AddressSanitizer and UndefinedBehaviorSanitizer'
	@echo 'make test-tsan   the suite under ThreadSanitizer'
	@echo 'make test-cross  other processors under qemu'
	@echo 'make test-clients the server with the client libraries that programs use (npm)'
	@echo 'make soak        10 minutes of threads, then of clients of a server, that do all at once, or INGLE_SOAK=SECONDS'
	@echo '                 each; PRESET=tsan, asan'
	@echo 'make fuzz        fuzz TARGET=gguf, or another of tests/fuzz, for SECONDS=N or until Ctrl+C'
	@echo 'make fuzz-merge  take what was found for TARGET=gguf, minimised, into tests/fuzz/corpus'
	@echo 'make clean       remove the build folders'

build:
	@scripts/deps.sh --check build
	@$(CONFIGURE) -B $(BUILD) -DCMAKE_BUILD_TYPE=Release
	@cmake --build $(BUILD) -j $(JOBS) --target ingle ingle_shared ingle_doc

deps:
	@scripts/deps.sh build test

run:
	@scripts/deps.sh build
	@$(MAKE) --no-print-directory build
	@$(BUILD)/ingle run

test:
	@scripts/deps.sh build test
	@$(CONFIGURE) -B $(BUILD) -DCMAKE_BUILD_TYPE=Release
	@cmake --build $(BUILD) -j $(JOBS)
	@ctest --test-dir $(BUILD) --output-on-failure -j $(JOBS)

# Without the tests that measure or make whole models.
check:
	@scripts/deps.sh --check build test
	@$(CONFIGURE) -B $(BUILD) -DCMAKE_BUILD_TYPE=Release
	@cmake --build $(BUILD) -j $(JOBS)
	@ctest --test-dir $(BUILD) --output-on-failure -j $(JOBS) -E '^(e2e_(bench|recipes|memory|models)|test_tiny)$$'

bench: build
	@$(BUILD)/ingle bench $(if $(MODEL),-m '$(MODEL)')

models:
	@$(CONFIGURE) -B $(BUILD) -DCMAKE_BUILD_TYPE=Release
	@cmake --build $(BUILD) -j $(JOBS) --target ingle test_logits test_families test_new_families
	@BUILD=$(abspath $(BUILD)) scripts/models.py --measure

api: build
	@$(BUILD)/ingle serve --print-api > $(BUILD)/api.md
	@cp $(BUILD)/api.md docs/api.md

lint:
	@scripts/deps.sh build test lint
	@scripts/lint.sh

install: build
	@cmake --install $(BUILD) --prefix '$(PREFIX)'

test-debug test-asan test-tsan: test-%:
	@scripts/deps.sh build test
	@cmake --preset $*
	@cmake --build --preset $* -j $(JOBS)
	@ctest --preset $* -j $(JOBS)

soak:
	@scripts/deps.sh build test
	@cmake --preset $(PRESET)
	@cmake --build --preset $(PRESET) -j $(JOBS) --target test_soak ingle
	@INGLE_SOAK=$${INGLE_SOAK:-600} build-$(PRESET)/test_soak
	@INGLE_SOAK=$${INGLE_SOAK:-600} INGLE=$(CURDIR)/build-$(PRESET)/ingle INGLE_SOURCE=$(CURDIR) \
		INGLE_SANITIZER=$(filter asan tsan,$(PRESET)) python3 tests/e2e/serve_soak.py

test-cross:
	@scripts/deps.sh build test cross
	@scripts/test-cross.sh

# GROUP=... runs some of the groups only.
test-clients:
	@scripts/deps.sh build clients
	@$(MAKE) --no-print-directory build
	@BUILD='$(BUILD)' tests/e2e/clients/run.sh $(GROUP)

fuzz:
	@JOBS=$(JOBS) scripts/fuzz.sh run '$(TARGET)' $(SECONDS)

fuzz-merge:
	@JOBS=$(JOBS) scripts/fuzz.sh merge '$(TARGET)'

clean:
	rm -rf build build-*
