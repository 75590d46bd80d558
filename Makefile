# demo, release, test, test-influxdb, test-mutants, test-keycloak, test-compose, test-packages, influxd, instructions,
# compatibility, overview, dashboard, screenshots, bench, bench-signin, bench-store, bench-operating, bench-sso, bench-grpc,
# profile, fuzz, deb, sbom, deny, kubernetes: each installs what is missing (Debian packages, clients of InfluxDB), then calls cargo.
.PHONY: demo release test test-influxdb test-mutants test-keycloak test-compose test-packages influxd instructions \
	compatibility overview dashboard screenshots bench bench-signin bench-store bench-operating bench-sso bench-grpc profile \
	fuzz deb sbom deny kubernetes documents tools test-tools screenshots-tools keycloak-tools compose-tools packages-tools \
	influxd-tools influxdb-tools bench-tools bench-signin-tools bench-store-tools bench-operating-tools bench-sso-tools \
	bench-grpc-tools influxdb3-clients

CARGO ?= cargo
SUDO := $(shell [ "$$(id -u)" = 0 ] || echo sudo)

# $(call need,a command,the Debian package it comes from)
need = command -v $(1) >/dev/null || $(call install,$(2))
install = { $(SUDO) apt-get -qq update && $(SUDO) apt-get -qq install -y $(1); }

demo: tools ## run a gateway to try, in front of a built-in upstream
	$(CARGO) run --quiet --locked -- demo

profile := $(CURDIR)/gateway/release.profdata
packages := $(CURDIR)/target/packages
keycloak-version := 26.4.0
keycloak-sha256 := 1b6a11a2726ac8a8dc9c91d5fafe989a75ce4f1622d7f7b45c21d5bc16629c0a
keycloak := $(CURDIR)/target/keycloak/keycloak-$(keycloak-version)

# Cargo does not watch the profile, so its digest is passed too: another profile makes another build. The vectorizer of
# straight-line code (SLP) is off: with a profile it has not come to an end in half an hour, and a request gains nothing.
release: tools ## build the optimised program, target/release/influx-gateway
	digest=$$(sha256sum $(profile) | cut -c1-16) && \
	RUSTFLAGS="-Cprofile-use=$(profile) -Cno-vectorize-slp --cfg profile=\"$$digest\"" \
		$(CARGO) build --release --locked -p influx-gateway --bin influx-gateway

test: tools test-tools ## every test that needs no InfluxDB
	$(CARGO) test --locked

test-influxdb: tools test-tools influxdb-tools influxd ## real InfluxDBs, and real clients with real queries
	$(CARGO) test --locked --test real

test-mutants: tools test-tools influxdb-tools influxd ## whether the tests before a real InfluxDB see it when the gateway is broken
	python3 -B tests/real/mutants

test-keycloak: tools keycloak-tools influxd ## single sign-on with a real Keycloak, a real browser and a real InfluxDB
	$(CARGO) test --locked --no-run
	python3 -B tests/keycloak/run.py $(KEYCLOAK)

test-compose: tools compose-tools influxd ## docker-compose.yml on a Docker engine; BUILD=1 builds the program there too
	$(CARGO) test --locked --no-run # the program with the dependencies that `make test` has built
	$(SUDO) env "PATH=$$PATH:/usr/sbin" "HOME=$$HOME" python3 -B tests/compose/run.py $(if $(BUILD),--build)

# The program of the tests in it: one for users is made by `make deb`.
test-packages: tools packages-tools target/compose/debian.tar ## the Debian package in a root of its own, and Kubernetes' manifests
	$(CARGO) test --locked --no-run
	$(MAKE) --no-print-directory documents
	cd gateway && $(packages)/bin/cargo-deb --no-build --no-strip --fast --profile dev --output $(packages)/influx-gateway.deb
	$(SUDO) env "PATH=$$PATH:/usr/sbin" python3 -B tests/packages/run.py

deb: release documents $(packages)/bin/cargo-deb ## a Debian package of the optimised program, in target/packages
	cd gateway && $(packages)/bin/cargo-deb --no-build --output $(packages)/

sbom: $(packages)/bin/cargo-cyclonedx ## which crates are in the program, as CycloneDX, into target/packages
	cd gateway && $(packages)/bin/cargo-cyclonedx cyclonedx --format json --override-filename influx-gateway.cdx
	mv gateway/influx-gateway.cdx.json $(packages)/

deny: $(packages)/bin/cargo-deny ## licences, bans and sources of all crates; advisories, where their database is to be had
	$(packages)/bin/cargo-deny --config .deny.toml check licenses bans sources
	$(packages)/bin/cargo-deny --config .deny.toml check advisories || echo "advisories: not checked, see above"

kubernetes: $(packages)/helm ## conf/kubernetes, as the chart in conf/helm makes it
	@mkdir -p conf/kubernetes
	$(packages)/helm template influx-gateway conf/helm/influx-gateway > conf/kubernetes/influx-gateway.yaml

# What a package has beside the program: manual pages and shell completions, from the definition of the command line;
# the configuration and the unit, with the places that a package has.
documents: tools
	$(CARGO) run --quiet --locked --features internals --example documents -- target/documents
	sed 's|^file = "users.toml" |file = "/var/lib/influx-gateway/users.toml" |' conf/gateway.toml \
		> target/documents/gateway.toml
	sed -e '/^#/,/^$$/d' -e 's|/usr/local/bin/|/usr/bin/|' conf/systemd/influx-gateway.service \
		> target/documents/influx-gateway.service

influxd: influxd-tools target/influxd/influx ## a real InfluxDB and its command, in target/influxd; ten minutes the first time

# The test writes what it has counted before it compares, so its failure does not matter here.
instructions: tools ## count the instructions of a request again, for the test to compare with
	@$(call need,valgrind,valgrind)
	@rm -f target/tmp/instructions.txt
	$(CARGO) test --quiet --locked --test it instructions:: >/dev/null || test -s target/tmp/instructions.txt
	cp target/tmp/instructions.txt gateway/benches/

overview: ## the picture of the README, into docs/overview.svg
	python3 -B docs/overview.py > docs/overview.svg

dashboard: release ## the picture of the dashboard, into docs/dashboard.svg: real figures, three minutes
	@$(no-services); $(call need,prometheus,prometheus)
	@$(call need,openssl,openssl)
	python3 -B docs/dashboard.py target/release/influx-gateway > target/dashboard.svg
	mv target/dashboard.svg docs/

screenshots: tools screenshots-tools ## the pictures of the gateway's own page, into docs/page-*.png
	$(CARGO) build --quiet --locked -p influx-gateway
	node docs/screenshots.mjs target/debug/influx-gateway

# As above: the test writes the page before it compares.
compatibility: tools ## clients that were tried, and what differs from InfluxDB, into docs/compatibility.md
	@rm -f target/tmp/compatibility.md
	$(CARGO) test --quiet --locked --test it f_55_the_list >/dev/null || test -s target/tmp/compatibility.md
	cp target/tmp/compatibility.md docs/

# With options it is a quick look at what they name.
bench: bench-tools $(if $(BENCH),,bench-grpc-tools) ## benchmarks beside other proxies, into docs/performance.md; and bench-grpc
	python3 -B gateway/benches/compare --write $(BENCH)
	$(if $(BENCH),,python3 -B gateway/benches/grpc --write)

bench-signin: tools bench-signin-tools ## benchmarks of sign-ins, into docs/signin.md; OPTIONS='--rounds 1 ...'
	python3 -B gateway/benches/signin --write $(OPTIONS)

bench-store: tools bench-store-tools ## benchmarks of sessions in Redis, into docs/store.md; OPTIONS='--rounds 1 ...'
	python3 -B gateway/benches/store --write $(OPTIONS)

bench-operating: tools bench-operating-tools ## what metrics and the access log cost, into docs/metrics.md
	python3 -B gateway/benches/operating --write $(OPTIONS)

bench-sso: tools bench-sso-tools ## what JWTs and sign-ins by providers cost, into docs/single-sign-on.md
	python3 -B gateway/benches/sso --write $(OPTIONS)

bench-grpc: tools bench-grpc-tools ## what gRPC costs beside nginx, into docs/influxdb3.md
	python3 -B gateway/benches/grpc --write $(OPTIONS)

profile: bench-tools bench-grpc-tools ## record which code runs how often, for `make release`; run it before each release
	@$(call need,openssl,openssl)
	@$(call need,curl,curl)
	rustup component add llvm-tools
	python3 -B gateway/benches/train

fuzz: tools ## random input, a minute for each parser of what strangers write; FUZZ='--seconds 600 head'
	@$(call need,c++,g++)
	@$(call need,python3,python3)
	gateway/fuzz/run $(FUZZ)

tools:
	@$(call need,cc,gcc libc6-dev)
	@$(call need,cmake,cmake)
	@$(call need,make,make)

test-tools: .venv/installed tests/clients/javascript/node_modules/installed tests/oidc/node/node_modules/installed target/go-clients/built target/h2spec/h2spec influxdb3-clients
	@$(call need,curl,curl)
	@$(call need,victoria-metrics,victoria-metrics)
	@$(call need,fail2ban-regex,fail2ban)
	@$(call need,valgrind,valgrind)
	@PATH="$$PATH:/usr/sbin"; $(call need,logrotate,logrotate)
	@$(call need,systemd-analyze,systemd)
	@ls /usr/lib/*/libnss_wrapper.so >/dev/null 2>&1 || { $(SUDO) apt-get -qq update && $(SUDO) apt-get -qq install -y libnss-wrapper; }
	@$(call need,chromium,chromium)
	@PATH="$$PATH:/usr/sbin"; $(no-services); $(call need,redis-server,redis-server)
	@$(call need,redis-sentinel,redis-sentinel)
	@$(no-services); $(call need,promtool,prometheus)
	@ls /usr/lib/*/faketime/libfaketimeMT.so.1 >/dev/null 2>&1 || { $(SUDO) apt-get -qq update && $(SUDO) apt-get -qq install -y libfaketime; }

# InfluxDB 3's own clients.
influxdb3-clients: .venv/installed tests/clients/influxdb3/javascript/node_modules/installed target/influxdb3-go/client target/influxdb3-java/built

keycloak-tools: $(keycloak)/built tests/clients/javascript/node_modules/installed
	@$(call need,java,default-jre-headless)
	@$(call need,chromium,chromium)

# Maven Central has it too; what is built here is what a configuration fixes, so that a start need not.
$(keycloak)/built:
	@$(call need,java,default-jre-headless)
	@$(call need,mvn,maven)
	@$(call need,unzip,unzip)
	@mkdir -p $(@D)
	mvn -q -B dependency:copy -Dartifact=org.keycloak:keycloak-quarkus-dist:$(keycloak-version):zip \
		-DoutputDirectory=$(@D)/.. -Dmdep.stripVersion=true
	cd $(@D)/.. && echo "$(keycloak-sha256)  keycloak-quarkus-dist.zip" | sha256sum --check --quiet
	cd $(@D)/.. && unzip -q -o keycloak-quarkus-dist.zip && rm keycloak-quarkus-dist.zip
	$(@D)/bin/kc.sh build --db=dev-file
	@touch $@

screenshots-tools: tests/clients/javascript/node_modules/installed
	@$(call need,chromium,chromium)
	@$(call need,pngquant,pngquant)
	@fc-list | grep -q Inter || $(call install,fonts-inter)
	@ls /usr/lib/*/faketime/libfaketimeMT.so.1 >/dev/null 2>&1 || $(call install,libfaketime)

# An engine, what its images are made of, and Docker's `compose`, which is no package.
compose-tools: target/compose/docker-compose target/compose/debian.tar
	@PATH="$$PATH:/usr/sbin"; $(no-services); $(call need,dockerd,docker.io)
	@$(call need,docker,docker.io)
	@$(call need,git,git)
	@$(call need,openssl,openssl)

packages-tools: $(packages)/bin/cargo-deb $(packages)/helm $(packages)/python/installed
	@$(call need,dpkg-shlibdeps,dpkg-dev)

$(packages)/bin/cargo-deb:
	$(CARGO) install --quiet --locked cargo-deb --version 3.8.0 --root $(packages)

$(packages)/bin/cargo-cyclonedx:
	$(CARGO) install --quiet --locked cargo-cyclonedx --version 0.5.9 --root $(packages)

$(packages)/bin/cargo-deny:
	$(CARGO) install --quiet --locked cargo-deny --version 0.20.2 --root $(packages)

$(packages)/helm: $(wildcard tests/packages/go.*) tests/go
	@$(call need,go,golang-go)
	@mkdir -p $(@D)
	cd tests/packages && ../go build -trimpath -ldflags "-s -w" -o $(packages)/ \
		helm.sh/helm/v3/cmd/helm github.com/yannh/kubeconform/cmd/kubeconform

# The schemas of Kubernetes, which kubeconform would fetch one by one; what they refer to is beside them.
$(packages)/python/installed:
	@python3 -c 'import ensurepip' 2>/dev/null || $(call install,python3-venv)
	python3 -m venv $(@D)
	$(@D)/bin/python -m pip --quiet --disable-pip-version-check install --no-deps kubernetes-validate==1.37.0
	@mkdir -p $(packages)/schemas
	@for schema in $$(find $(@D) -path '*/v1.37.0-local-strict/*.json'); do \
		sed 's|"/api/_definitions.json|"file://$(packages)/schemas/_definitions.json|' $$schema \
			> $(packages)/schemas/$${schema##*/}; \
	done
	@touch $@

influxd-tools: tools
	@$(call need,go,golang-go)
	@$(call need,pkg-config,pkg-config)

target/compose/docker-compose: $(wildcard tests/compose/go.*) tests/go
	@$(call need,go,golang-go)
	@mkdir -p $(@D)
	cd tests/compose && ../go build -trimpath -ldflags "-s -w" -o $(CURDIR)/$@ github.com/docker/compose/v2/cmd

target/compose/debian.tar:
	@PATH="$$PATH:/usr/sbin"; $(call need,debootstrap,debootstrap)
	@mkdir -p $(@D)
	tests/compose/debian $@

# Flux, which influxd is linked with, is Rust: built by the toolchain that is in use here, not by the one
# that it asks for, and without that one's lints.
target/influxd/influxd: $(wildcard tests/influxd/go.*) tests/go | influxd-tools
	@mkdir -p $(@D)
	cd tests/influxd && ../go build -o $(CURDIR)/$(@D)/ github.com/influxdata/pkg-config
	toolchain=$$(rustup show active-toolchain | cut -d ' ' -f 1) && cd tests/influxd && \
	RUSTUP_TOOLCHAIN=$$toolchain RUSTFLAGS="--cap-lints warn" PKG_CONFIG=$(CURDIR)/$(@D)/pkg-config \
		../go build -tags sqlite_foreign_keys,sqlite_json -o $(CURDIR)/$(@D)/ github.com/influxdata/influxdb/v2/cmd/influxd

target/influxd/influx: target/influxd/influxd
	cd tests/influxd && ../go build -o $(CURDIR)/$(@D)/ github.com/influxdata/influx-cli/v2/cmd/influx

# Only the programs are wanted: while this is there, Debian starts no services of their packages.
policy = /usr/sbin/policy-rc.d
no-services = [ -e $(policy) ] || { printf '\#!/bin/sh\nexit 101\n' | $(SUDO) tee $(policy) >/dev/null \
	&& $(SUDO) chmod 755 $(policy) && trap '$(SUDO) rm $(policy)' EXIT; }

# Built as its own main module, with what a test needs of its plugins: its go.mod replaces some of what it is made of.
telegraf := github.com/influxdata/telegraf@v1.37.2
target/telegraf/telegraf: tests/go
	@mkdir -p $(@D)
	folder=$$(cd tests/influxd && ../go mod download -json $(telegraf) | python3 -c 'import json, sys; print(json.load(sys.stdin)["Dir"])') && \
	cd "$$folder" && $(CURDIR)/tests/go build -mod=readonly \
		-tags "custom,inputs.file,outputs.influxdb_v2,parsers.influx,serializers.influx" -o $(CURDIR)/$@ ./cmd/telegraf

# What stands before a gateway in tests.
influxdb-tools: target/java-clients/built target/telegraf/telegraf
	@PATH="$$PATH:/usr/sbin"; $(no-services); $(call need,nginx,nginx)

bench-tools: tools
	@PATH="$$PATH:/usr/sbin"; $(no-services); \
	$(call need,nginx,nginx); \
	[ -e /usr/lib/nginx/modules/ngx_http_lua_module.so ] || $(call install,libnginx-mod-http-lua); \
	$(call need,haproxy,haproxy); \
	$(call need,apache2,apache2-bin); \
	$(call need,vmauth,victoria-metrics); \
	$(call need,wrk,wrk); \
	$(call need,h2load,nghttp2-client); \
	$(call need,openssl,openssl); \
	$(call need,strip,binutils); \
	$(call need,strace,strace); \
	$(call need,perf,linux-perf)

bench-signin-tools:
	@PATH="$$PATH:/usr/sbin"; $(call need,nginx,nginx)
	@$(call need,python3,python3)

bench-store-tools: bench-signin-tools
	@PATH="$$PATH:/usr/sbin"; $(no-services); $(call need,redis-server,redis-server)

bench-operating-tools: bench-signin-tools
	@$(call need,valgrind,valgrind)

bench-sso-tools: bench-store-tools
	@$(call need,openssl,openssl)

bench-grpc-tools: .venv/installed
	@PATH="$$PATH:/usr/sbin"; $(no-services); $(call need,nginx,nginx)

.venv/installed: tests/clients/requirements.txt
	@python3 -c 'import ensurepip' 2>/dev/null || { $(SUDO) apt-get -qq update && $(SUDO) apt-get -qq install -y python3-venv; }
	python3 -m venv .venv
	.venv/bin/python -m pip --quiet --disable-pip-version-check install -r $<
	@touch $@

tests/clients/javascript/node_modules/installed: tests/clients/javascript/package-lock.json
tests/clients/influxdb3/javascript/node_modules/installed: tests/clients/influxdb3/javascript/package-lock.json
tests/oidc/node/node_modules/installed: tests/oidc/node/package-lock.json
tests/clients/javascript/node_modules/installed tests/clients/influxdb3/javascript/node_modules/installed \
tests/oidc/node/node_modules/installed:
	@$(call need,npm,nodejs npm)
	cd $(<D) && npm ci --silent --no-audit --no-fund
	@touch $@

target/go-clients/built: $(wildcard tests/clients/go/go.* tests/clients/go/*/*.go)
	@$(call need,go,golang-go)
	cd tests/clients/go && go build -o ../../../target/go-clients/ ./...
	@touch $@

target/influxdb3-go/client: tests/go $(wildcard tests/clients/influxdb3/go/*)
	@$(call need,go,golang-go)
	cd tests/clients/influxdb3/go && ../../../go build -o ../../../../$@ .

target/influxdb3-java/built: $(wildcard tests/clients/influxdb3/java/pom.xml tests/clients/influxdb3/java/src/main/java/*)
	@$(call need,javac,default-jdk-headless)
	@$(call need,mvn,maven)
	cd tests/clients/influxdb3/java && mvn -q -B compile dependency:copy-dependencies
	@touch $@

target/java-clients/built: tests/clients/java/pom.xml $(wildcard tests/clients/java/src/main/java/*)
	@$(call need,javac,default-jdk-headless)
	@$(call need,mvn,maven)
	cd tests/clients/java && mvn -q -B compile dependency:copy-dependencies
	@touch $@

target/h2spec/h2spec: $(wildcard tests/h2spec/*)
	@$(call need,go,golang-go)
	cd tests/h2spec && go build -o ../../target/h2spec/ github.com/summerwind/h2spec/cmd/h2spec
	@touch $@
