# Crisol's entry points. ARGS goes through: make demo ARGS=--hold, make test ARGS="--test claims zombie".
.DEFAULT_GOAL := help
.PHONY: help demo test bench compare model fuzz lint advisories

# What cargo needs to build librdkafka, OpenSSL and jemalloc from their sources.
BUILD := cargo cc c++ make perl pkg-config

# What runs exploits, and what they run on.
ARENA := bwrap setpriv unshare prlimit /usr/bin/python3 git

help: ## this list
	@sed -nE 's/^([a-z]+):.*## (.*)/  make \1,\2/p' $(MAKEFILE_LIST) | while IFS=, read -r name text; do printf '%-18s%s\n' "$$name" "$$text"; done

demo: ## watch it judge real CVEs on an embedded broker; ends by itself
	@.ci/need $(BUILD) $(ARENA)
	@cargo build
	@cargo run --quiet -- demo $(ARGS)

test: ## everything, on real servers: Apache Kafka (or what CRISOL_TEST_KAFKA names) and Redis
	@.ci/need $(BUILD) kcat redis-server $(ARENA)
	@tests/kafka/kafka install
	@cargo test $(ARGS)

bench: ## throughput and latency beside a bare pass-through, on the same broker
	@.ci/need $(BUILD) redis-server
	@tests/kafka/kafka install
	@CRISOL_KAFKA_JVM="-Xms1g -Xmx1g -XX:TieredStopAtLevel=4" cargo bench $(ARGS)

compare: ## the forest's scores, explanations and times beside ONNX Runtime, scikit-learn and shap, from PyPI
	@.ci/need $(BUILD) python3
	@python3 benches/forest/compare.py $(ARGS)

model: ## a judge of code from all labelled patches of MODEL_DATA=FILE; it stays on this machine
	@.ci/need $(BUILD)
	@test -n "$(MODEL_DATA)" || { echo "say which: make model MODEL_DATA=patches.jsonl.gz" >&2; exit 64; }
	@cargo build --quiet && target/debug/crisol train $(MODEL_DATA) --out models/local.json $(ARGS)
	@echo "put it in force: ML_MODEL_PATH=models/local.json"

fuzz: ## any bytes at each parser for 10 minutes; ARGS="60 diff" is one target for a minute
	@.ci/need $(BUILD)
	@fuzz/run $(ARGS)

lint: ## format, clippy; where cargo-deny and promtool are installed, licences, sources and alerts
	@.ci/need $(BUILD)
	@cargo fmt --check
	@cargo clippy --all-targets -- -D warnings
	@if cargo deny --version >/dev/null 2>&1; then cargo deny --log-level error check bans licenses sources; \
	else echo "cargo-deny is not installed (cargo install --locked cargo-deny): licences and sources not checked"; fi
	@if command -v promtool >/dev/null; then promtool test rules monitoring/alerts.test.yaml; \
	else echo "promtool is not installed (Debian: prometheus): the tests of the alerts were not run"; fi

advisories: ## known holes in dependencies; needs cargo-deny and the network
	@cargo deny check advisories
