/* SPDX-License-Identifier: MIT */
/* fuzz_attach.c - the head of an attach request. The first byte of an input selects the kind of
 * connection.
 *
 * Checks that an accepted request has all that protocol.md#attach asks for, and that a refused one
 * gets an answer with the reason. */
#include <ctype.h>

#include "src/tunnels/attach.h"
#include "tests/fuzz/server.h"

enum { SECURE = 1, DRAINING = 2, FULL = 4 };

static void check_refusal(struct answer *a)
{
    cJSON *json = cJSON_ParseWithLength(buf_slice(&a->body).ptr, buf_len(&a->body));
    assert(a->head.status >= 400 && a->head.status <= 599);
    assert(cJSON_GetStringValue(cJSON_GetObjectItem(json, "error")));
    assert(fields_count(&a->head.fields, SLICE("cache-control")) == 1);
    cJSON_Delete(json);
}

static void check_accepted(const struct fuzz_server *x, const struct call *c, struct slice name,
                           const struct attach *at)
{
    const struct fields *f = &c->m->fields;
    assert(c->secure && !x->server.draining && !c->m->has_body && f->count <= 32);
    assert(fields_has_token(f, SLICE("upgrade"), SLICE("ptth")));
    assert(fields_has_token(f, SLICE("connection"), SLICE("upgrade")));
    assert(fields_has_token(f, SLICE("alpn"), SLICE("h2")));
    assert(slice_ieq(name, slice_str(at->ticket.name)));
    assert(at->slot < x->config.limits.links);
    size_t len = strlen(at->instance);
    assert(len == 0 || len == INSTANCE_LEN);
    for (size_t i = 0; i < len; i++)
        assert(isxdigit((unsigned char)at->instance[i]));
    const struct tunnel *t = registry_find(x->worker.registry, slice_str(at->ticket.name));
    assert(t && owner_eq(t->owner_id, at->ticket.owner));
    struct message answer;
    attach_response(&answer);
    assert(answer.status == 101 && fields_has_token(&answer.fields, SLICE("alpn"), SLICE("h2")));
    message_deinit(&answer);
}

static void judge(struct fuzz_server *x, const struct message *m, size_t bytes, uint8_t how)
{
    struct viewer viewer = {.https = how & SECURE};
    struct call c = {.m = m};
    c.route.kind = ROUTE_BASE; /* whatever the Host says */
    c.route.builtin = route_builtin(m->method, m->path);
    call_set_viewer(&c, &viewer, how & SECURE, false);
    struct attach at;
    struct answer refusal;
    if (c.route.builtin.kind != BUILTIN_ATTACH)
        return;
    x->server.draining = how & DRAINING;
    if (attach_accept(&x->worker, &c, bytes, &at, &refusal)) {
        check_accepted(x, &c, c.route.builtin.name, &at);
    } else {
        check_refusal(&refusal);
        answer_deinit(&refusal);
    }
    fuzz_drop(x, slice_str(at.ticket.name));
    x->server.draining = false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct message m;
    struct h1_result r;
    if (size == 0)
        return 0;
    struct fuzz_server *x = fuzz_server(data[0] & FULL);
    struct slice in = slice_skip(fuzz_input(data, size), 1);
    message_init(&m);
    if (h1_parse_request(in, &h1_default_limits, &m, &r) == ERR_OK) {
        fuzz_sign_tickets(x, &m);
        judge(x, &m, in.len, data[0]);
    }
    message_deinit(&m);
    return 0;
}
