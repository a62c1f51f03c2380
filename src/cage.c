/* SPDX-License-Identifier: MIT */
/* cage.c - says which files and folders oneportd needs; see cage.h. */
#include "src/cage.h"

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
    if (c->listen.cert) {
        sandbox_allow_renewed(s, c->listen.cert);
        sandbox_allow_renewed(s, c->listen.key);
    }
    for (size_t i = 0; i < c->listen.addresses.count; i++)
        if (strncmp(c->listen.addresses.item[i], local, sizeof local - 1) == 0)
            sandbox_allow_remove(s, c->listen.addresses.item[i] + sizeof local - 1);
    int err = sandbox_enter(s, mode_of(c), reason);
    sandbox_free(s);
    return err;
}
