/* SPDX-License-Identifier: MIT */
/* fuzz_register.c - the head of a register call. The first byte of an input selects the kind of
 * connection.
 *
 * Checks that there is always an answer in JSON, that a ticket is sent over secure connections only
 * and is valid for the name in the answer, and that nobody gets a name of somebody else. */
#include "h2mux/base/clock.h"
#include "src/names/label.h"
#include "src/tunnels/register.h"
#include "tests/fuzz/server.h"

enum { TLS = 1, DRAINING = 2, TRUSTED = 4, PROXIED = 8, HTTPS = 16, OPTIONS = 32, FULL = 64 };

static const char *text_of(const cJSON *json, const char *key)
{
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(json, key));
    return text ? text : "";
}

static void check_granted(struct fuzz_server *x, const struct call *c, const cJSON *json)
{
    struct slice id = slice_str(text_of(json, "id")), ticket = slice_str(text_of(json, "ticket"));
    struct slice attach = slice_str(text_of(json, "attach"));
    const struct tunnel *held = registry_find(x->worker.registry, id);
    struct base_url url;
    struct ticket t;
    assert(label_valid(id) && !slice_eq(id, SLICE("taken-app")) && held);
    assert(base_url_parse(text_of(json, "url"), &url) == 0);
    assert(slice_starts(url.host, id) && slice_ends(url.host, SLICE("." FUZZ_DOMAIN)));
    assert((ticket.len > 0) == c->secure && (attach.len > 0) == c->secure);
    if (!c->secure)
        return;
    assert(slice_starts(attach, SLICE("https://")) && slice_ends(attach, id));
    int err = ticket_verify(x->server.keyring, SLICE(FUZZ_DOMAIN), ticket, clock_wall_s(), &t);
    assert(err == 0 && slice_eq(slice_str(t.name), id) && owner_eq(t.owner, held->owner_id));
}

static void check_answer(struct fuzz_server *x, const struct call *c, struct answer *a)
{
    cJSON *json = cJSON_ParseWithLength(buf_slice(&a->body).ptr, buf_len(&a->body));
    assert(cJSON_IsObject(json));
    assert(fields_count(&a->head.fields, SLICE("cache-control")) == 1);
    if (a->head.status == 200)
        check_granted(x, c, json);
    else
        assert(a->head.status >= 400 && text_of(json, "message")[0] && !text_of(json, "ticket")[0]);
    fuzz_drop(x, slice_str(text_of(json, "id")));
    cJSON_Delete(json);
}

static void ask(struct fuzz_server *x, const struct message *m, uint8_t how)
{
    struct viewer v = {.trusted = how & TRUSTED, .proxied = (how & TRUSTED) && (how & PROXIED)};
    struct answer a;
    v.https = how & (v.trusted ? HTTPS : TLS);
    struct call_judge judge = server_judge(&x->server);
    struct call c = {.m = m};
    c.route.kind = ROUTE_BASE; /* whatever the Host says */
    c.route.builtin = route_builtin(m->method, m->path);
    enum builtin_kind kind = c.route.builtin.kind;
    call_set_viewer(&c, &v, how & TLS, false);
    if (kind != BUILTIN_REGISTER)
        return;
    int home = call_home(&c, &judge, x->server.directory);
    assert(home == DIRECTORY_NOBODY || home == 0);
    x->server.draining = how & DRAINING;
    x->config.urls.public = how & OPTIONS ? "http://" FUZZ_DOMAIN ":8080" : NULL;
    x->config.urls.attach = how & OPTIONS ? "https://attach.example.org:8443" : NULL;
    register_answer(&x->worker, &c, &a);
    check_answer(x, &c, &a);
    answer_deinit(&a);
    x->server.draining = false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct message m;
    struct h1_result r;
    if (size == 0)
        return 0;
    struct fuzz_server *x = fuzz_server(data[0] & FULL);
    message_init(&m);
    if (h1_parse_request(slice_skip(fuzz_input(data, size), 1), &h1_default_limits, &m, &r) ==
        ERR_OK) {
        fuzz_sign_tickets(x, &m);
        ask(x, &m, data[0]);
    }
    message_deinit(&m);
    return 0;
}
