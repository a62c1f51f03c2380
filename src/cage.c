/* SPDX-License-Identifier: MIT */
/* cage.c - says which files and folders oneportd needs; see cage.h. */
#include "src/cage.h"

#include "src/worker/certificate_files.h"

static enum sandbox_mode mode_of(const struct config *c)
{
    enum sandbox_mode mode = SANDBOX_AUTO;
    int err = sandbox_mode_parse(c->sandbox, &mode);
    (void)err; /* the option was checked */
    return mode;
}

void cage_harden(const struct config *c)
{
    sandbox_harden(mode_of(c));
}

/* Allows to read certificates anew. Those of --cert-dir may be links that lead out of it. */
static void allow_certificates(struct sandbox *s, const struct config *c)
{
    struct certificate_files files;
    char reason[TLS_REASON_MAX];
    if (c->listen.cert_dir)
        sandbox_allow_read(s, c->listen.cert_dir);
    if (certificate_files_list(&files, c, reason) < 0)
        return; /* the first reading has said why */
    for (size_t i = 0; i < files.count; i++) {
        sandbox_allow_renewed(s, files.pair[i].cert_file);
        sandbox_allow_renewed(s, files.pair[i].key_file);
    }
    certificate_files_free(&files);
}

int cage_enter(const struct config *c, char reason[static SANDBOX_REASON_MAX])
{
    static const char local[] = "unix:";
    struct sandbox *s = sandbox_new();
    sandbox_allow_write(s, c->names.state_dir);
    if (strcmp(c->log.access, "-") != 0 && strcmp(c->log.access, "off") != 0)
        sandbox_allow_append(s, c->log.access);
    const char *file = c->file ? c->file : config_default_file; /* it may come later */
    if (strcmp(file, "none") != 0)
        sandbox_allow_renewed(s, file);
    allow_certificates(s, c);
    if (c->names.tokens)
        sandbox_allow_renewed(s, c->names.tokens);
    if (c->names.policies)
        sandbox_allow_renewed(s, c->names.policies);
    if (c->urls.acme_dir)
        sandbox_allow_read(s, c->urls.acme_dir);
    for (size_t i = 0; i < c->listen.addresses.count; i++)
        if (strncmp(c->listen.addresses.item[i], local, sizeof local - 1) == 0)
            sandbox_allow_remove(s, c->listen.addresses.item[i] + sizeof local - 1);
    if (c->admin.listen && strncmp(c->admin.listen, local, sizeof local - 1) == 0)
        sandbox_allow_remove(s, c->admin.listen + sizeof local - 1);
    int err = sandbox_enter(s, mode_of(c), reason);
    sandbox_free(s);
    return err;
}
