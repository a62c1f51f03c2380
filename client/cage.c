/* SPDX-License-Identifier: MIT */
/* cage.c - says which ports and folders oneport needs; see cage.h. */
#include "client/cage.h"

#include <stdlib.h>

#include "client/server/tickets.h"

/* Returns what --sandbox says, which is the same for all tunnels. */
static enum sandbox_mode mode_of(const struct config_set *set)
{
    enum sandbox_mode mode = SANDBOX_AUTO;
    int err = sandbox_mode_parse(set->each[0].sandbox, &mode);
    (void)err; /* the option was checked */
    return mode;
}

struct sandbox *cage_new(const struct config_set *set, char reason[static SANDBOX_REASON_MAX])
{
    struct sandbox *s = sandbox_new();
    sandbox_harden(mode_of(set));
    sandbox_allow_names(s);
    for (size_t i = 0; i < set->count; i++) {
        const struct config *c = &set->each[i];
        sandbox_allow_port(s, c->server.port);
        if (c->proxy.proxy.host[0] != '\0')
            sandbox_allow_port(s, c->proxy.proxy.port);
        if (c->origin.unix_path[0] == '\0')
            sandbox_allow_port(s, c->origin.url.port);
    }
    if (sandbox_possible(s, mode_of(set), reason) == 0)
        return s;
    sandbox_free(s);
    return NULL;
}

/* OpenSSL looks for authorities by the time that it needs them, in the folders that this variable
 * names; those of the system are in /etc and /usr. */
static void allow_authorities(struct sandbox *s)
{
    const char *text = getenv("SSL_CERT_DIR");
    struct slice list = slice_str(text ? text : "");
    while (list.len > 0) {
        ptrdiff_t colon = slice_find(list, ':');
        char *folder = slice_dup(slice_make(list.ptr, colon < 0 ? list.len : (size_t)colon));
        sandbox_allow_read(s, folder);
        free(folder);
        list = slice_skip(list, colon < 0 ? list.len : (size_t)colon + 1);
    }
}

int cage_enter(struct sandbox *s, const struct config_set *set, struct resolver *r,
               char reason[static SANDBOX_REASON_MAX])
{
    for (size_t i = 0; i < set->count; i++) {
        const char *given = set->each[i].remote.ticket_file;
        char *path = given ? xstrdup(given) : tickets_default_path();
        if (path)
            sandbox_allow_replace(s, path);
        free(path);
        if (set->each[i].output.url_file)
            sandbox_allow_replace(s, set->each[i].output.url_file);
    }
    allow_authorities(s);
    int err = sandbox_enter(s, mode_of(set), reason);
    if (err == 0 && mode_of(set) != SANDBOX_OFF)
        resolver_enter(r, s);
    return err;
}
