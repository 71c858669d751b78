SWIFT ?= swift

# So many tests at once: each drives several programs, and a machine on which dozens of those wait for each other makes
# every patience too short.
export SWT_EXPERIMENTAL_MAXIMUM_PARALLELIZATION_WIDTH ?= 4

.PHONY: demo test test-all build release man setup peers lint clean

# Builds what is needed, serves a scratch copy of a small Zope site with zeoserver, and opens zeoshell on it.
demo: release
	@SWIFT="$(SWIFT)" sh scripts/demo.sh

# Everything: unit, conformance, pseudo-terminal and live tests against Python peers, which are made beside the build.
test: setup
	@mkdir -p .build
	@sh scripts/peers.sh > .build/peers.log 2>&1 & \
	$(SWIFT) build --build-tests; built=$$?; wait; cat .build/peers.log; exit $$built
	@SWIFT="$(SWIFT)" sh scripts/test.sh

# The same and all that takes longer: every test of ZEO's own, fifty kills, three Zopes of either age behind HAProxy for
# five minutes, a Zope 2.13 rescued while it runs.
test-all:
	@WITH_HAPROXY=1 sh scripts/setup.sh
	@WITH_ZOPE213=1 sh scripts/peers.sh
	$(SWIFT) build --build-tests
	@SWIFT="$(SWIFT)" ZEOSHELL_TEST_ALL=1 sh scripts/test.sh

build: setup
	$(SWIFT) build

# Two binaries that need no Swift on the machine they are copied to, and start in half the time.
release: setup
	$(SWIFT) build -c release --static-swift-stdlib --product zeoshell
	$(SWIFT) build -c release --static-swift-stdlib --product zeoserver

# Pages of the manual for man(1), in .build/man: zeoshell(1), one for each command, and zeoserver(8).
man: build
	mkdir -p .build/man/man1 .build/man/man8
	$(SWIFT) run --skip-build zeoshell man --all .build/man/man1
	$(SWIFT) run --skip-build zeoserver man > .build/man/man8/zeoserver.8

# System packages that the build needs and this machine lacks.
setup:
	@sh scripts/setup.sh

# Python ZEO servers and clients of pinned versions, in virtual environments; quick when they are there. What cannot
# be made is noted, and the tests that need it are reported as skipped.
peers:
	@sh scripts/peers.sh

lint:
	$(SWIFT) format lint -r Sources Tests Package.swift

clean:
	rm -rf .build
