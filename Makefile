# oneport: `make help` lists what there is.
PKGS    := libnghttp2 libssl libcrypto libevent_core libevent_pthreads libcjson
VARIANT ?= release
BUILD   := build/$(VARIANT)
CC      ?= cc
Q       := $(if $(V),,@)

WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wcast-qual \
        -Wwrite-strings -Wvla -Wswitch-enum -Wformat=2 -Wundef -Wconversion -Wno-unused-parameter
FLAGS_release := -O2 -g -D_FORTIFY_SOURCE=2 -fstack-protector-strong
FLAGS_asan    := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
FLAGS_tsan    := -O1 -g -fsanitize=thread -fno-omit-frame-pointer
FLAGS_cov     := -O0 -g --coverage
LINK_release  := -pie -Wl,-z,relro,-z,now
LINK_asan     := -fsanitize=address,undefined
LINK_tsan     := -fsanitize=thread
LINK_cov      := --coverage

VERSION := 0.1.0
ALL  = -std=gnu11 -D_GNU_SOURCE -I. -MMD -MP -fPIE -pthread -DONEPORT_VERSION='"$(VERSION)"' $(WARN) $(if $(WERROR),-Werror) \
       $(FLAGS_$(VARIANT)) $(shell pkg-config --cflags $(PKGS)) $(CFLAGS)
LIBS = $(LINK_$(VARIANT)) $(LDFLAGS) $(shell pkg-config --libs $(PKGS)) -pthread

mux_o    := $(patsubst %.c,$(BUILD)/%.o,$(wildcard h2mux/*.c h2mux/base/*.c))
server_o := $(patsubst %.c,$(BUILD)/%.o,$(wildcard src/*.c))
client_o := $(patsubst %.c,$(BUILD)/%.o,$(wildcard client/*.c))
unit_bin := $(patsubst tests/unit/%.c,$(BUILD)/unit/%,$(wildcard tests/unit/test_*.c))

ifeq ($(VARIANT),release)
BIN := build
else
BIN := $(BUILD)
endif

all: $(BIN)/oneportd $(BIN)/oneport ## build the two programs

$(BIN)/oneportd: $(server_o) $(mux_o)
	$(Q)$(CC) -o $@ $^ $(LIBS)
$(BIN)/oneport: $(client_o) $(mux_o)
	$(Q)$(CC) -o $@ $^ $(LIBS)
$(BUILD)/%.o: %.c
	$(Q)mkdir -p $(@D) && $(CC) $(ALL) -c $< -o $@

# A unit test links the library and one program, all but its main(): test_client_* the client, the others the server.
$(BUILD)/unit/test_client_%: $(BUILD)/tests/unit/test_client_%.o $(mux_o) $(filter-out %/main.o,$(client_o))
	$(Q)mkdir -p $(@D) && $(CC) -o $@ $^ $(LIBS) -lcmocka
$(BUILD)/unit/%: $(BUILD)/tests/unit/%.o $(mux_o) $(filter-out %/main.o,$(server_o))
	$(Q)mkdir -p $(@D) && $(CC) -o $@ $^ $(LIBS) -lcmocka

unit: $(unit_bin) ## run the unit tests of this VARIANT
	$(Q)set -e; for t in $(unit_bin); do $$t; done

clean: ## remove what was built
	rm -rf build

help: ## list targets
	@sed -n 's/^\([a-z-]*\):.*## /  \1\t/p' $(MAKEFILE_LIST)

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
.PHONY: all unit clean help
.SECONDARY:
