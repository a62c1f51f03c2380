/* SPDX-License-Identifier: MIT */
/* register_world.h - makes a worker without connections, and register calls to it. For tests of the
 * built-ins. */
#ifndef TESTS_UNIT_REGISTER_WORLD_H
#define TESTS_UNIT_REGISTER_WORLD_H

#include "src/tunnels/register.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "h2mux/base/clock.h"
#include "src/edge/admin.h"
#include "src/limits/bans.h"
#include "src/limits/quota.h"
#include "src/names/keyring.h"
#include "src/names/state.h"
#include "src/names/ticket.h"
#include "src/names/tokens.h"
#include "src/tunnels/registry.h"
#include "src/tunnels/tunnel.h"

#define DOMAIN "example.com"

struct fixture {
    char dir[64];
    struct config config;
    struct server server;
    struct worker worker;
};

static inline int setup(void **state)
{
    struct fixture *x = xcalloc(1, sizeof *x);
    char reason[200] = "";
    *state = x;
    snprintf(x->dir, sizeof x->dir, "/tmp/test_register.XXXXXX");
    if (!mkdtemp(x->dir))
        return -1;
    log_threshold = LOG_ERROR;
    x->config = (struct config){.domain = DOMAIN,
                                .names.state_dir = x->dir,
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
    x->server.keyring = keyring_open(x->dir, reason, sizeof reason);
    x->server.directory = directory_new(x->config.limits.tunnels, NULL, NULL);
    x->server.quota = quota_new(1, x->config.limits.register_rate);
    x->worker.registry = registry_new(&x->worker);
    return x->server.keyring ? 0 : -1;
}

static inline int teardown(void **state)
{
    struct fixture *x = *state;
    char command[128];
    registry_free(x->worker.registry);
    directory_free(x->server.directory);
    quota_free(x->server.quota);
    keyring_free(x->server.keyring);
    tokens_free(x->server.tokens);
    bans_free(x->server.bans);
    loop_free(x->worker.loop);
    snprintf(command, sizeof command, "rm -rf %s", x->dir);
    free(x);
    return system(command);
}

/* One register call. With all fields empty it comes from loopback, in plain HTTP, to example.com.
 */
struct request {
    const char *name;
    bool remote, tls;
    const char *host, *ticket, *bearer, *exact, *domain;
    const char *fetch_site; /* Sec-Fetch-Site, of a page's call */
    struct viewer viewer;
};

struct reply {
    int status;
    cJSON *json;
};

static inline struct reply ask(struct fixture *x, const struct request *r)
{
    struct message m;
    struct answer a;
    message_init(&m);
    m.method = SLICE("GET");
    m.authority = slice_str(r->host ? r->host : DOMAIN);
    if (r->ticket)
        fields_add(&m.fields, SLICE("Oneport-Ticket"), slice_str(r->ticket));
    if (r->bearer)
        fields_add(&m.fields, SLICE("Authorization"), slice_str(r->bearer));
    if (r->fetch_site)
        fields_add(&m.fields, SLICE("sec-fetch-site"), slice_str(r->fetch_site));
    if (r->exact)
        fields_add(&m.fields, SLICE("oneport-exact"), slice_str(r->exact));
    if (r->domain)
        fields_add(&m.fields, SLICE("oneport-domain"), slice_str(r->domain));
    struct viewer viewer = r->viewer;
    viewer.https = viewer.https || (r->tls && !viewer.proxied);
    struct call c = {
        .m = &m,
        .route = {.kind = ROUTE_BASE,
                  .builtin = {.kind = BUILTIN_REGISTER, .name = slice_str(r->name ? r->name : "")}},
    };
    call_set_viewer(&c, &viewer, r->tls, !r->remote);
    register_answer(&x->worker, &c, &a);
    assert_true(slice_eq(fields_value(&a.head.fields, SLICE("cache-control")), SLICE("no-store")));
    assert_true(
        slice_eq(fields_value(&a.head.fields, SLICE("content-type")), SLICE("application/json")));
    struct reply reply = {a.head.status,
                          cJSON_ParseWithLength(buf_slice(&a.body).ptr, buf_len(&a.body))};
    assert_non_null(reply.json);
    answer_deinit(&a);
    message_deinit(&m);
    return reply;
}

static inline const char *text_of(const struct reply *r, const char *key)
{
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItem(r->json, key));
    return text ? text : "(none)";
}

static inline int number_of(const cJSON *json, const char *key)
{
    const cJSON *item = cJSON_GetObjectItem(json, key);
    assert_true(cJSON_IsNumber(item));
    return item->valueint;
}

static inline struct tunnel *find(const struct fixture *x, const char *name)
{
    return registry_find(x->worker.registry, slice_str(name));
}

static inline struct ticket ticket_of(const struct fixture *x, const struct reply *r)
{
    struct ticket t;
    int err = ticket_verify(x->server.keyring, SLICE(DOMAIN), slice_str(text_of(r, "ticket")),
                            clock_wall_s(), &t);
    assert_int_equal(err, 0);
    return t;
}

static inline void sign(const struct fixture *x, const char *domain, const struct ticket *t,
                        char out[static TICKET_MAX])
{
    assert_int_equal(ticket_sign(x->server.keyring, slice_str(domain), t, out), 0);
}

#endif
