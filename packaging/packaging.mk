# SPDX-License-Identifier: MIT
# Installs both programs with what belongs to them. packaging/README.md says what is where.
comma       := ,
sysconfdir  ?= $(if $(filter /usr /usr/local,$(prefix)),/etc,$(prefix)/etc)
bindir      ?= $(prefix)/bin
sbindir     ?= $(prefix)/sbin
mandir      ?= $(prefix)/share/man
datadir     ?= $(prefix)/share
unitdir     ?= $(prefix)/lib/systemd/system
sysusersdir ?= $(prefix)/lib/sysusers.d
tmpfilesdir ?= $(prefix)/lib/tmpfiles.d

# Debian's zsh looks elsewhere than others.
zshdir      ?= $(datadir)/zsh/$(if $(filter /usr,$(prefix)),vendor-completions,site-functions)

# What install copies, one "SOURCE:MODE:TARGET" each. A source that ends with .in has the folders of
# this installation filled in.
installed := \
    $(BIN)/oneportd:755:$(sbindir)/oneportd \
    $(BIN)/oneport:755:$(bindir)/oneport \
    $(BUILD)/share/oneport.1:644:$(mandir)/man1/oneport.1 \
    $(BUILD)/share/oneportd.8:644:$(mandir)/man8/oneportd.8 \
    $(foreach p,oneport oneportd, \
        $(BUILD)/share/$p.bash:644:$(datadir)/bash-completion/completions/$p \
        $(BUILD)/share/$p.zsh:644:$(zshdir)/_$p \
        $(BUILD)/share/$p.fish:644:$(datadir)/fish/vendor_completions.d/$p.fish) \
    packaging/systemd/oneportd.service.in:644:$(unitdir)/oneportd.service \
    packaging/systemd/oneport@.service.in:644:$(unitdir)/oneport@.service \
    packaging/server/oneport.sysusers:644:$(sysusersdir)/oneport.conf \
    packaging/server/oneport.tmpfiles.in:644:$(tmpfilesdir)/oneport.conf \
    packaging/server/oneportd.logrotate:644:$(sysconfdir)/logrotate.d/oneportd

# Settings of the operator, which install never overwrites and uninstall leaves.
settings := packaging/server/oneportd.default:644:$(sysconfdir)/default/oneportd

folders := s,@bindir@,$(bindir),;s,@sbindir@,$(sbindir),;s,@sysconfdir@,$(sysconfdir),
source_of = $(word 1,$(subst :, ,$1))
mode_of   = $(word 2,$(subst :, ,$1))
target_of = $(DESTDIR)$(word 3,$(subst :, ,$1))

define copy
mkdir -p $(dir $(call target_of,$1))
$(if $(filter %.in,$(call source_of,$1)),sed '$(folders)' $(call source_of,$1) >$(call target_of,$1),cp $(call source_of,$1) $(call target_of,$1))
chmod $(call mode_of,$1) $(call target_of,$1)

endef

install: all man completions ## install programs, units and settings under prefix=/usr/local, and DESTDIR if set
	$(foreach one,$(installed),$(call copy,$(one)))
	$(foreach one,$(settings),$(if $(wildcard $(call target_of,$(one))),,$(call copy,$(one))))
	mkdir -p $(DESTDIR)$(sysconfdir)/oneport/tls
	chmod 750 $(DESTDIR)$(sysconfdir)/oneport/tls

# ---- what the programs print of their tables of options

man: $(BUILD)/share/oneport.1 $(BUILD)/share/oneportd.8 ## make the manual pages, by scdoc
completions: $(foreach p,oneport oneportd,$(foreach s,bash zsh fish,$(BUILD)/share/$p.$s)) ## make the completions of shells

$(BUILD)/share/oneport.1: $(BIN)/oneport
$(BUILD)/share/oneportd.8: $(BIN)/oneportd
$(BUILD)/share/oneport.1 $(BUILD)/share/oneportd.8: $(BUILD)/share/%: packaging/man/%.scd
	$(Q)mkdir -p $(@D) && $(BIN)/$(basename $(@F)) --generate=man >$@.options
	$(Q)sed -e 's/@VERSION@/$(VERSION)/' -e '/^@OPTIONS@$$/{' -e 'r $@.options' -e 'd' -e '}' $< >$@.scd
	$(Q)scdoc <$@.scd >$@.part && mv $@.part $@
$(BUILD)/share/%.bash: $(BIN)/%
	$(Q)mkdir -p $(@D) && $< --generate=bash >$@
$(BUILD)/share/%.zsh: $(BIN)/%
	$(Q)mkdir -p $(@D) && $< --generate=zsh >$@
$(BUILD)/share/%.fish: $(BIN)/%
	$(Q)mkdir -p $(@D) && $< --generate=fish >$@

uninstall: ## remove what install has installed, but settings
	rm -f $(foreach one,$(installed),$(call target_of,$(one)))

deb: ## build the Debian packages of the last commit, oneport and oneportd, into build/deb
	$(Q)tests/support/deps.sh build deb
	$(Q)packaging/deb.sh $(VERSION)

# ---- the client in one file, with its libraries linked in

libraries_a = -Lbuild/deps/$(machine) -Wl,--start-group $(shell pkg-config --libs-only-l $(PKGS)) -lcrypt -Wl,--end-group
one_file    = $(MAKE) --no-print-directory VARIANT=release

# $1: libc too, or not; $2: how to link; $3: libraries; $4: sources beside those of the client
define build_one_file
tests/support/deps.sh build portable
$(Q)packaging/portable/cjson.sh build/deps/$(machine) $(CC) $(or $(AR_$(machine)),ar)
+$(Q)$(one_file) BUILD=build/$@ QR=no LINKED='$1' LINK_release='$2 $(LINK_hardened)' LDFLAGS='-s -static-libgcc $(LDFLAGS)' \
    PKG_LIBS='$3' EXTRA='packaging/portable/$4' build/$@/oneport
endef

portable: ## build build/portable/oneport: one file for each Linux with glibc 2.34 or newer
	$(Q)$(call build_one_file,its libraries$(comma) but not libc,-pie,-Wl$(comma)-Bstatic $(libraries_a) -Wl$(comma)-Bdynamic,old_glibc.c)

static: ## build build/static/oneport: one file for containers, with libc
	$(Q)$(call build_one_file,its libraries and libc$(comma) so names come from /etc/hosts and DNS alone$(comma) not from VPNs and mDNS,-static-pie -Wl$(comma)--no-warnings,$(libraries_a),static_names.c)

wheel: portable ## build a Python wheel with the portable client and a module into build/wheel
	$(Q)packaging/wheel/make $(VERSION) build/portable/oneport $(firstword $(subst -, ,$(machine))) build/wheel

# ---- arm64, on another machine

sysroot       := $(CURDIR)/build/deps/arm64
linked_arm64  := libc6-dev libcrypt-dev libnghttp2-dev libssl-dev libevent-dev libcjson-dev libinih-dev libseccomp-dev libqrencode-dev
cross_arm64    = $(MAKE) --no-print-directory VARIANT=release BUILD=build/arm64 PKG_CFLAGS= \
    CC='aarch64-linux-gnu-gcc --sysroot=$(sysroot)' PKG_LIBS='$(shell pkg-config --libs-only-l $(PKGS)) -lcrypt'

arm64: ## build both programs and the unit tests for arm64 into build/arm64
	$(Q)tests/support/deps.sh build arm64
	$(Q)packaging/arm64/sysroot.sh $(linked_arm64) libcmocka-dev
	+$(Q)$(cross_arm64) all unit-bin

.PHONY: arm64 completions deb install man portable static uninstall wheel
