# What people and CI call. `make help` lists it.

DEFAULT_MODEL := models/qwen2.5-coder-0.5b-instruct-q4_k_m.gguf

MODEL ?= $(DEFAULT_MODEL)
GOLDEN ?= tests/golden/qwen2.5-coder-0.5b-q4_k_m.json
PORT ?= 8080
# Not what the environment calls so: there it is the program that opens web pages.
BROWSER := chromium
LONG_CONTEXT ?=

# Tools that setup builds for this project come first; rustup's folder may not be on a fresh machine's PATH yet.
export PATH := $(CURDIR)/.tools/bin:$(PATH):$(HOME)/.cargo/bin

# An option of `make bench` that is set, by a variable of the same name in capitals, as words for its script.
bench_option = $(if $($(shell echo $(1) | tr a-z A-Z)),--$(1) "$($(shell echo $(1) | tr a-z A-Z))")

.PHONY: help serve build test check format verify-model verify-random verify-browser verify-download bench setup-build setup-tests model clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

serve: build model ## Build and serve the page and a model: MODEL=path.gguf, PORT=8080
	@exec node scripts/serve.mjs --model "$(MODEL)" --port "$(PORT)"

build: setup-build ## Build the release into dist/
	trunk build --release --offline --locked --skip-version-check

test: setup-build setup-tests ## Run every check
	@scripts/run_checks.sh all

check: setup-build setup-tests ## Run the checks that take seconds: formatting, types, clippy
	@scripts/run_checks.sh quick

format: setup-build ## Format Rust and JavaScript
	cargo fmt
	npm run --silent format

verify-model: model ## Compare the engine, on Vulkan, with reference answers: MODEL=, GOLDEN=, LONG_CONTEXT=1, TIER=, BACKEND=cpu
	cargo run --locked --release --example verify_model -- \
		--model "$(MODEL)" --golden "$(GOLDEN)" $(if $(LONG_CONTEXT),--long-context) $(if $(TIER),--tier "$(TIER)") \
		$(if $(BACKEND),--backend "$(BACKEND)")

verify-random: ## Compare the engine, on Vulkan, with llama.cpp on random weights: LLAMA_SERVER=program, ONLY=, TIER=
	@test -n "$(LLAMA_SERVER)" || { echo "error: LLAMA_SERVER=path of llama.cpp's program llama-server is needed" >&2; exit 1; }
	@scripts/setup_random_models.sh
	cargo build --locked --release --example verify_model
	.tools/random-models/bin/python tests/models/verify_random.py --llama-server "$(LLAMA_SERVER)" \
		--verify-model "$$(cargo metadata --no-deps --format-version 1 | \
		python3 -c 'import json, sys; print(json.load(sys.stdin)["target_directory"])')/release/examples/verify_model" \
		$(if $(ONLY),--only "$(ONLY)") $(if $(TIER),--tier "$(TIER)")

verify-browser: build setup-tests model ## Let the real model answer in a browser: BROWSER=chromium|firefox, MODEL=, GOLDEN=, TIER=, BACKEND=cpu
	node scripts/verify_browser.mjs --browser "$(BROWSER)" --model "$(MODEL)" --golden "$(GOLDEN)" \
		$(if $(TIER),--tier "$(TIER)") $(if $(BACKEND),--backend "$(BACKEND)")

verify-download: build setup-tests model ## Download the real model through a network that breaks off: MODEL=, CUTS=, BACKEND=, RUNS=
	node scripts/verify_download.mjs --model "$(MODEL)" $(foreach option,cuts backend runs,$(call bench_option,$(option)))

bench: build setup-tests model ## Measure speed, loading, memory, costs: PROMPTS=, GENERATE=, RUNS=, TARGETS=, BASELINE=older/dist
	@node scripts/bench.mjs --model "$(MODEL)" $(foreach option,prompts generate runs targets tier patience timeout \
		baseline out,$(call bench_option,$(option)))

setup-build:
	@scripts/setup_build.sh

setup-tests: setup-build
	@scripts/setup_tests.sh

# The default model is obtained; another one has to be there.
model:
ifeq ($(MODEL),$(DEFAULT_MODEL))
	@python3 scripts/fetch_model.py qwen2.5-coder-0.5b
else
	@test -f "$(MODEL)" || { echo "error: there is no file $(MODEL)" >&2; exit 1; }
endif

clean: ## Delete what was built; models/, .tools/ and node_modules/ stay
	cargo clean
	rm -rf dist
