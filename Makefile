# SPDX-License-Identifier: MIT
# `make help` lists the targets. The objects of a variant are under build/VARIANT/, the release
# programs are build/oneportd and build/oneport.
PKGS    := libnghttp2 libssl libcrypto libevent_core libevent_pthreads libcjson inih libseccomp
VARIANT ?= release
# CHECK=1 compiles the checks of invariants in (h2mux/base/check.h). A build whose CHECK differs
# from the default of its variant has a folder of its own.
CHECK_DEFAULT := $(if $(filter asan tsan fuzz,$(VARIANT)),1,0)
CHECK   ?= $(CHECK_DEFAULT)
# IPSEC_MB=yes builds ipsec-mb in, which encrypts TLS records faster than OpenSSL before 3.1:
# h2mux/io/tls_gcm.h. Such a build has a folder of its own, too.
IPSEC_MB ?= no
ifeq ($(filter yes no,$(IPSEC_MB)),)
$(error IPSEC_MB is yes or no, not '$(IPSEC_MB)')
endif
BUILD   := build/$(VARIANT)$(if $(filter-out $(CHECK_DEFAULT),$(CHECK)),-check$(CHECK))$(if $(filter yes,$(IPSEC_MB)),-ipsec-mb)
CC      ?= cc
ifeq ($(VARIANT)/$(origin CC),fuzz/default)
CC      := clang
endif
Q       := $(if $(V),,@)
VERSION := 0.2.0
prefix  ?= /usr/local

# What makes a fault of memory harder to use. Link-time optimisation needs the flags again when it
# generates code. -fcf-protection exists for x86 alone; arm64 has another flag for the same.
machine := $(shell $(CC) -dumpmachine 2>/dev/null)
HARDEN  := -fstack-protector-strong -fstack-clash-protection \
           $(if $(filter x86_64-% i%86-%,$(machine)),-fcf-protection) \
           $(if $(filter aarch64-%,$(machine)),-mbranch-protection=standard)

# Link-time optimisation makes requests 6 % cheaper. Tests link the same objects without it, which
# only gcc's objects allow.
ifeq ($(shell $(CC) --version 2>/dev/null | grep -ci clang),0)
LTO_OBJECTS := -flto=auto -ffat-lto-objects
LTO_release := -O2 -flto=auto $(HARDEN)
NO_LTO      := -fno-lto
endif

WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wcast-qual \
        -Wwrite-strings -Wvla -Wswitch-enum -Wformat=2 -Wundef -Wconversion -Wno-unused-parameter
FLAGS_release := -O2 -g -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3 $(HARDEN) $(LTO_OBJECTS)
FLAGS_asan    := -DNO_SANDBOX -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
FLAGS_tsan    := -DNO_SANDBOX -O1 -g -fsanitize=thread -fno-omit-frame-pointer
FLAGS_cov     := -DNO_SANDBOX -O0 -g --coverage
FLAGS_fuzz    := -DNO_SANDBOX -O1 -g -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined \
                 -fno-omit-frame-pointer
LINK_hardened := -Wl,-z,relro,-z,now,-z,noexecstack,-z,separate-code
LINK_release  := -pie $(LINK_hardened)
LINK_asan     := -fsanitize=address,undefined
LINK_tsan     := -fsanitize=thread
LINK_cov      := --coverage
LINK_fuzz     := -fsanitize=fuzzer,address,undefined
ifeq ($(FLAGS_$(VARIANT)),)
$(error VARIANT is release, asan, tsan, cov or fuzz, not '$(VARIANT)')
endif

ALL  = -std=gnu11 -D_GNU_SOURCE -I. -MMD -MP -fPIE -pthread -DONEPORT_VERSION='"$(VERSION)"' \
       $(WARN) $(if $(WERROR),-Werror) $(if $(filter-out 0,$(CHECK)),-DCHECK=1) \
       $(FLAGS_$(VARIANT)) $(PKG_CFLAGS) $(if $(LINKED),-DONEPORT_LINKED='"$(LINKED)"') $(CFLAGS)
LIBS = $(LINK_$(VARIANT)) $(LDFLAGS) $(PKG_LIBS) -pthread
PKG_CFLAGS := $(shell pkg-config --cflags $(PKGS) 2>/dev/null)
PKG_LIBS   := $(shell pkg-config --libs $(PKGS) 2>/dev/null && echo -lcrypt)

ifeq ($(IPSEC_MB),yes)
ifeq ($(shell pkg-config --exists 'libcrypto < 3.1' && echo yes),)
$(error IPSEC_MB=yes is for OpenSSL before 3.1; OpenSSL $(shell pkg-config --modversion libcrypto) has such code itself)
endif
ifeq ($(shell printf '\043include <intel-ipsec-mb.h>\n' | $(CC) -E - >/dev/null 2>&1 && echo yes),)
$(error IPSEC_MB=yes needs ipsec-mb, in Debian libipsec-mb-dev (amd64))
endif
PKG_CFLAGS += -DHAVE_IPSEC_MB
PKG_LIBS   += -lIPSec_MB
endif

# The client draws QR codes where libqrencode is installed, but for QR=no.
ifeq ($(QR)$(shell pkg-config --exists libqrencode && echo yes),yes)
QR_CFLAGS := -DHAVE_QRENCODE $(shell pkg-config --cflags libqrencode)
QR_LIBS   := $(shell pkg-config --libs libqrencode)
endif
$(BUILD)/client/%.o: PKG_CFLAGS += $(QR_CFLAGS)

mux_o    := $(patsubst %.c,$(BUILD)/%.o,$(wildcard h2mux/*/*.c))
server_o := $(patsubst %.c,$(BUILD)/%.o,$(wildcard src/*.c src/*/*.c))
client_o := $(patsubst %.c,$(BUILD)/%.o,$(wildcard client/*.c client/*/*.c))
extra_o  := $(patsubst %.c,$(BUILD)/%.o,$(EXTRA)) # of make portable, make static
unit_bin := $(patsubst tests/unit/%.c,$(BUILD)/unit/%,$(wildcard tests/unit/test_*.c))
replays  := $(patsubst tests/fuzz/fuzz_%.c,$(BUILD)/replay/%,$(wildcard tests/fuzz/fuzz_*.c))
fuzzers  := $(replays:$(BUILD)/replay/%=$(BUILD)/fuzz/%)
bench_bin := $(addprefix $(BUILD)/bench/,load origin links wan tun_relay handshakes)
bench_o  := $(filter-out $(bench_bin:$(BUILD)/bench/%=$(BUILD)/tests/bench/%.o), \
              $(patsubst %.c,$(BUILD)/%.o,$(wildcard tests/bench/*.c)))
sources  := $(wildcard h2mux/*/*.[ch] src/*.[ch] src/*/*.[ch] client/*.[ch] client/*/*.[ch] \
              $(patsubst %,tests/%/*.[ch],unit fuzz bench support))
BIN      := $(if $(filter build/release,$(BUILD)),build,$(BUILD))
T        := $(or $(FUZZ_SECONDS),60)
NAME     :=

all: $(BIN)/oneportd $(BIN)/oneport ## build the two programs

$(BIN)/oneportd: $(server_o) $(mux_o)
	$(Q)$(CC) $(LTO_$(VARIANT)) -o $@ $^ $(LIBS)
$(BIN)/oneport: $(client_o) $(mux_o) $(extra_o)
	$(Q)$(CC) $(LTO_$(VARIANT)) -o $@ $^ $(LIBS) $(QR_LIBS)
$(BUILD)/%.o: %.c | libraries
	$(Q)mkdir -p $(@D) && $(CC) $(ALL) -c $< -o $@

# Says what is missing, and what to do about it, before the compiler does.
libraries:
ifeq ($(PKG_LIBS),)
	@pkg-config --print-errors --exists $(PKGS) || true
	@echo "oneport cannot be built without these packages: 'make deps' installs them." >&2; exit 1
endif
	@command -v $(firstword $(CC)) >/dev/null || { \
	    echo "oneport cannot be built without a C compiler ($(CC)): 'make deps' installs one." >&2; exit 1; }

# A unit test or a fuzz target links the library and one program without its main(): test_client_*
# and fuzz_client_* link the client, the others the server. A target in replay/ reads files, a
# target in fuzz/ runs under libFuzzer.
$(BUILD)/unit/test_client_%: $(BUILD)/tests/unit/test_client_%.o $(mux_o) $(filter-out %/main.o,$(client_o))
	$(Q)mkdir -p $(@D) && $(CC) $(NO_LTO) -o $@ $^ $(LIBS) $(QR_LIBS) -lcmocka
$(BUILD)/unit/%: $(BUILD)/tests/unit/%.o $(mux_o) $(filter-out %/main.o,$(server_o))
	$(Q)mkdir -p $(@D) && $(CC) $(NO_LTO) -o $@ $^ $(LIBS) -lcmocka
$(BUILD)/replay/client_%: $(BUILD)/tests/fuzz/fuzz_client_%.o $(BUILD)/tests/fuzz/replay.o $(mux_o) \
                          $(filter-out %/main.o,$(client_o))
	$(Q)mkdir -p $(@D) && $(CC) $(NO_LTO) -o $@ $^ $(LIBS) $(QR_LIBS)
$(BUILD)/replay/%: $(BUILD)/tests/fuzz/fuzz_%.o $(BUILD)/tests/fuzz/replay.o $(mux_o) $(filter-out %/main.o,$(server_o))
	$(Q)mkdir -p $(@D) && $(CC) $(NO_LTO) -o $@ $^ $(LIBS)
$(BUILD)/fuzz/client_%: $(BUILD)/tests/fuzz/fuzz_client_%.o $(mux_o) $(filter-out %/main.o,$(client_o))
	$(Q)mkdir -p $(@D) && $(CC) $(NO_LTO) -o $@ $^ $(LIBS) $(QR_LIBS)
$(BUILD)/fuzz/%: $(BUILD)/tests/fuzz/fuzz_%.o $(mux_o) $(filter-out %/main.o,$(server_o))
	$(Q)mkdir -p $(@D) && $(CC) $(NO_LTO) -o $@ $^ $(LIBS)

$(BUILD)/bench/%: $(BUILD)/tests/bench/%.o $(bench_o) $(filter $(BUILD)/h2mux/base/%,$(mux_o))
	$(Q)mkdir -p $(@D) && $(CC) $(NO_LTO) -o $@ $^ $(LIBS)

check-bin: $(unit_bin) $(replays) all # everything that the tests of this VARIANT run

replays: $(replays) # the programs that run a corpus without a fuzzer

fuzzers: $(fuzzers) # the fuzzers, with VARIANT=fuzz only

lint-objects: $(mux_o) $(server_o) $(client_o) # all objects, without linking

unit-bin: $(unit_bin)

unit: unit-bin ## run the unit tests of this VARIANT; with clang: make unit CC=clang BUILD=build/clang
	$(Q)set -e; for t in $(unit_bin); do $$t; done

deps: ## install the Debian packages that building needs, upgrade the libraries of the programs
	$(Q)tests/support/deps.sh build newest

demo: ## install what is missing, build, share a sample app on http://demo.localhost:8080 until Ctrl-C
	$(Q)tests/support/deps.sh build demo
	$(Q)! $(MAKE) -n all | grep -q -e " -o " || echo "building oneportd and oneport, which takes a minute"
	$(Q)$(MAKE) --no-print-directory -j2 all
	$(Q)tests/support/demo.sh

test: ## install what is missing, build and run every test, release and ASan, in under 10 minutes
	$(Q)tests/support/deps.sh build demo test fuzz
	$(Q)tests/run.sh release asan

test-full: ## make test with the documented default times, long waits and TSan
	$(Q)tests/support/deps.sh build demo test full fuzz
	$(Q)FULL=1 tests/run.sh release asan tsan

ci: ## make test, make lint and the unit tests built by clang, with one count, in under 20 minutes
	$(Q)tests/support/deps.sh build demo test fuzz lint
	$(Q)LINT=1 CLANG=1 tests/run.sh release asan

interop: ## test with programs from npm and Go, where these can be reached: tests/interop/README.md
	$(Q)tests/support/deps.sh build demo test
	$(Q)$(MAKE) --no-print-directory -j2 all
	$(Q)tests/interop/run

test-images: ## build the images of docker/, send a request and a WebSocket through them (as root)
	$(Q)tests/support/deps.sh build demo test
	$(Q)tests/images.sh

fuzz: ## run each fuzzer, or NAME alone, for T=60 seconds, with clang: tests/fuzz/README.md
	$(Q)tests/support/deps.sh build fuzz
	$(Q)tests/fuzz/run.sh $(T) $(NAME)

fuzz-live: ## attack a link of a running server for T=60 s, SEED= and ROUND= repeat: tests/fuzz/README.md
	$(Q)tests/support/deps.sh build demo test
	$(Q)$(MAKE) --no-print-directory -j2 VARIANT=asan all
	$(Q)ONEPORT_BIN=build/asan ONEPORT_VARIANT=asan tests/fuzz/live/run --self-test
	$(Q)ONEPORT_BIN=build/asan ONEPORT_VARIANT=asan tests/fuzz/live/run $(T)

soak: ## put mixed load on both programs for T=1800 seconds and kill clients: tests/soak/README.md
	$(Q)tests/support/deps.sh build demo test
	$(Q)$(MAKE) --no-print-directory -j2 all
	$(Q)ONEPORT_BIN=$(BIN) ONEPORT_VARIANT=$(VARIANT) tests/soak/run $(if $(filter command line,$(origin T)),$(T),1800)

coverage: ## replay the fuzzers' corpora and print how many lines of each parser they reach
	$(Q)tests/support/deps.sh build
	$(Q)tests/fuzz/coverage.sh

bench: ## measure beside nginx, HAProxy, nghttpx and ssh (PATHS= TESTS= ROUNDS=): tests/bench/README.md
	$(Q)tests/support/deps.sh build demo test bench peers
	$(Q)$(MAKE) --no-print-directory -j2 VARIANT=release all bench-bin
	$(Q)$(MAKE) --no-print-directory -j2 VARIANT=release IPSEC_MB=yes all || echo "no oneport-ipsec-mb here"
	$(Q)tests/bench/run

bench-smoke: ## check in 40 s that every part of the benchmark works; judges no figures
	$(Q)tests/support/deps.sh build demo test bench
	$(Q)$(MAKE) --no-print-directory -j2 VARIANT=release all bench-bin
	$(Q)tests/bench/run smoke

bench-bin: $(bench_bin)

perf-smoke: ## count the instructions of a small request; over 5 % above the baseline fails
	$(Q)tests/support/deps.sh build demo test
	$(Q)$(MAKE) --no-print-directory -j2 VARIANT=release all
	$(Q)tests/perf/run || [ $$? = 77 ]

perf-baseline: ## write the counts of this build as the baseline: tests/perf/README.md
	$(Q)tests/support/deps.sh build demo test
	$(Q)$(MAKE) --no-print-directory -j2 VARIANT=release all
	$(Q)tests/perf/run baseline

lint: ## check style, references, licenses, layers, warnings of both compilers and more: tests/lint.sh
	$(Q)tests/support/deps.sh build test lint
	$(Q)tests/lint.sh

layers: ## check that #include lines follow the architecture; tests/layers --draw prints them
	$(Q)tests/layers

rules: ## print each rule of docs/http-rules.md with its tests, direct and through nginx; fails on a gap
	$(Q)tests/support/deps.sh test
	$(Q)tests/rules

format: ## format all C files in place with clang-format
	$(Q)clang-format -i $(sources)

compile_commands.json: Makefile
	$(Q)tests/support/compile_commands.sh $(filter-out -MMD -MP $(LTO_OBJECTS),$(ALL)) -- $(filter %.c,$(sources)) > $@

dist: ## pack the last commit into build/dist/oneport-VERSION.tar.gz
	$(Q)tests/support/dist.sh pack $(VERSION)

dist-check: dist ## unpack that file, build both programs with -Werror, compare their --version
	$(Q)tests/support/deps.sh build
	$(Q)tests/support/dist.sh check $(VERSION)

clean: ## remove everything that was built
	rm -rf build compile_commands.json

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /  \1\t/p' $(MAKEFILE_LIST) | expand -t 16

include packaging/packaging.mk

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
.PHONY: all bench bench-bin bench-smoke check-bin ci clean coverage demo deps dist dist-check format fuzz \
        fuzz-live fuzzers help interop layers lint libraries lint-objects perf-baseline perf-smoke replays rules soak test test-full \
        test-images unit unit-bin
.SECONDARY:
