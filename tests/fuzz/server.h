/* SPDX-License-Identifier: MIT */
/* server.h - a server without listeners, for targets that send it requests. Its keys are known, so
 * that an input can hold valid tickets. */
#ifndef TESTS_FUZZ_SERVER_H
#define TESTS_FUZZ_SERVER_H

#include <unistd.h>

#include "h2mux/http/h1.h"
#include "src/limits/quota.h"
#include "src/names/keyring.h"
#include "src/names/state.h"
#include "src/tunnels/registry.h"
#include "src/tunnels/tunnel.h"
#include "src/worker/worker.h"
#include "tests/fuzz/fuzz.h"

#define FUZZ_DOMAIN "example.com"
#define FUZZ_KEY "0123456789abcdef0123456789abcdef"
#define FUZZ_SECRET "ka MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=\n"

struct fuzz_server {
    struct config config;
    struct server server;
    struct worker worker;
};

/* Returns the keys of a secret file with @content, or NULL if it is not valid. */
static inline struct keyring *fuzz_keyring(struct slice content)
{
    char dir[] = "/tmp/fuzz.XXXXXX", path[64], reason[200];
    const char *why;
    if (!mkdtemp(dir) || state_write(dir, STATE_SECRET, content, &why) < 0)
        abort();
    struct keyring *k = keyring_open(dir, reason, sizeof reason);
    assert(k || reason[0] != '\0');
    snprintf(path, sizeof path, "%s/%s", dir, STATE_SECRET);
    unlink(path);
    rmdir(dir);
    return k;
}

static inline struct fuzz_server *fuzz_server_new(void)
{
    static const uint8_t other[OWNER_LEN] = {0xff};
    struct fuzz_server *x = xcalloc(1, sizeof *x);
    struct tunnel *t;
    unsigned ignored;
    log_threshold = LOG_ERROR;
    x->config = (struct config){.domain = FUZZ_DOMAIN,
                                .names.pending_ms = 60000,
                                .names.grace_ms = 600000,
                                .names.hold_ms = 4000,
                                .names.ticket_life_ms = 3600000,
                                .limits.streams = 20000,
                                .limits.links = 4,
                                .old = {"leap", 32}};
    x->worker.loop = loop_new();
    x->worker.server = &x->server;
    x->server.config = &x->config;
    x->server.keyring = fuzz_keyring(SLICE(FUZZ_SECRET));
    x->server.directory = directory_new(x->config.limits.tunnels, NULL, NULL);
    x->server.quota = quota_new(1, x->config.limits.register_rate);
    x->server.trust = trust_new();
    x->worker.registry = registry_new(&x->worker);
    int err = registry_claim(x->worker.registry, SLICE("taken-app"), other,
                             &(struct claim){.asked = true}, &t, &ignored);
    assert(err == 0);
    (void)err;
    return x;
}

/* Returns the server, which is made once. "taken-app" belongs to somebody else. With @full no other
 * name can be registered. */
static inline struct fuzz_server *fuzz_server(bool full)
{
    static struct fuzz_server *empty, *filled;
    struct fuzz_server **x = full ? &filled : &empty;
    char name[NAME_MAX_LEN + 1];
    if (*x)
        return *x;
    *x = fuzz_server_new();
    for (unsigned i = 1; full && i < DIRECTORY_MAX; i++) {
        snprintf(name, sizeof name, "elsewhere-%u", i);
        int err = directory_claim((*x)->server.directory, slice_str(name), 1, NULL);
        assert(err == 0);
        (void)err;
    }
    return *x;
}

/* Drops @name, so that each input finds the server in the same state. */
static inline void fuzz_drop(struct fuzz_server *x, struct slice name)
{
    struct tunnel *t = registry_find(x->worker.registry, name);
    if (t && !slice_eq(name, SLICE("taken-app")))
        registry_drop(x->worker.registry, t);
}

/* Replaces "@NAME" by a ticket of that name and "!NAME" by one that has expired, in Oneport-Ticket
 * and behind "Bearer " in Authorization. */
static inline void fuzz_sign_tickets(const struct fuzz_server *x, struct message *m)
{
    for (size_t i = 0; i < m->fields.count; i++) {
        struct field *f = &m->fields.v[i];
        bool bearer = slice_ieq(f->name, SLICE("authorization"));
        if (!bearer && !slice_ieq(f->name, SLICE("oneport-ticket")))
            continue;
        struct slice word = slice_skip(f->value, bearer ? sizeof "Bearer " - 1 : 0);
        if (word.len < 2 || word.len > NAME_MAX_LEN || (*word.ptr != '@' && *word.ptr != '!'))
            continue;
        struct ticket t = {.since = 1, .exp = *word.ptr == '@' ? INT32_MAX : 2};
        char text[TICKET_MAX + sizeof "Bearer "] = "Bearer ";
        memcpy(t.name, word.ptr + 1, word.len - 1);
        if (ticket_sign(x->server.keyring, slice_str(x->config.domain), &t,
                        text + sizeof "Bearer " - 1) < 0)
            continue;
        f->value = fields_keep(&m->fields, slice_str(bearer ? text : text + sizeof "Bearer " - 1));
    }
}

#endif
