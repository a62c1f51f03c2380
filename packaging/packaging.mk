# SPDX-License-Identifier: MIT
# Installs both programs with what belongs to them. packaging/README.md says what is where.
sysconfdir  ?= $(if $(filter /usr /usr/local,$(prefix)),/etc,$(prefix)/etc)
bindir      ?= $(prefix)/bin
sbindir     ?= $(prefix)/sbin
mandir      ?= $(prefix)/share/man
datadir     ?= $(prefix)/share
unitdir     ?= $(prefix)/lib/systemd/system
sysusersdir ?= $(prefix)/lib/sysusers.d
tmpfilesdir ?= $(prefix)/lib/tmpfiles.d

# What install copies, one "SOURCE:MODE:TARGET" each. A source that ends with .in has the folders of
# this installation filled in.
installed := \
    $(BIN)/oneportd:755:$(sbindir)/oneportd \
    $(BIN)/oneport:755:$(bindir)/oneport \
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

install: all ## install programs, units and settings under prefix=/usr/local, and DESTDIR if set
	$(foreach one,$(installed),$(call copy,$(one)))
	$(foreach one,$(settings),$(if $(wildcard $(call target_of,$(one))),,$(call copy,$(one))))
	mkdir -p $(DESTDIR)$(sysconfdir)/oneport/tls
	chmod 750 $(DESTDIR)$(sysconfdir)/oneport/tls

uninstall: ## remove what install has installed, but settings
	rm -f $(foreach one,$(installed),$(call target_of,$(one)))

.PHONY: install uninstall
