/* SPDX-License-Identifier: MIT */
/* attach.c - checks an attach request, and makes the cheapest checks first; see attach.h. */
#include "src/tunnels/attach.h"

#include <ctype.h>
#include <stdio.h>

#include "h2mux/base/clock.h"
#include "h2mux/base/err.h"
#include "src/limits/address.h"
#include "src/tunnels/policing.h"
#include "src/tunnels/refusal.h"
#include "src/tunnels/registry.h"
#include "src/tunnels/tunnel.h"

enum { ATTACH_HEAD_MAX = 8 * 1024, ATTACH_FIELDS_MAX = 32, FULL_RETRY_S = 10 };

static bool refuse(struct answer *a, int status, const char *error, const char *message,
                   unsigned retry_after_s)
{
    answer_refusal(a, status, error, message, retry_after_s);
    return false;
}

static bool asks_for_ptth(const struct fields *f)
{
    return fields_has_token(f, SLICE("upgrade"), SLICE("ptth")) &&
           fields_has_token(f, SLICE("connection"), SLICE("upgrade"));
}

static bool check_head(const struct call *c, size_t head_bytes, struct answer *a)
{
    const struct fields *f = &c->m->fields;
    if (c->m->http2)
        return refuse(a, 505, "http_1_1_required", "A tunnel is opened over HTTP/1.1.", 0);
    if (!asks_for_ptth(f)) {
        answer_refusal(a, 426, "upgrade_required", "A tunnel is opened by Upgrade: ptth.", 0);
        fields_add(&a->head.fields, SLICE("upgrade"), SLICE("ptth"));
        return false;
    }
    if (head_bytes > ATTACH_HEAD_MAX || f->count > ATTACH_FIELDS_MAX)
        return refuse(a, 431, "head_too_large",
                      "An attach request has at most 8 KiB and 32 fields.", 0);
    if (c->m->has_body)
        return refuse(a, 400, "bad_request", "An attach request has no body.", 0);
    if (!c->secure)
        return refuse(a, 403, "tls_required", "Attach over https.", 0);
    if (!fields_has_token(f, SLICE("alpn"), SLICE("h2")))
        return refuse(a, 400, "bad_alpn", "The ALPN field must offer h2 (RFC 7639).", 0);
    return true;
}

static bool hex_only(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!isxdigit((unsigned char)s.ptr[i]))
            return false;
    return true;
}

static bool says_yes(const struct fields *f, struct slice name)
{
    return slice_eq(fields_value(f, name), SLICE("?1"));
}

static bool check_instance(const struct fields *f, uint64_t max_links, struct attach *out,
                           struct answer *a)
{
    struct slice slot = fields_value(f, SLICE("oneport-link"));
    uint64_t number = 0;
    struct slice instance = fields_value(f, SLICE("oneport-instance"));
    if (instance.len != 0 && (instance.len != INSTANCE_LEN || !hex_only(instance)))
        return refuse(a, 400, "bad_instance", "Oneport-Instance is 32 hexadecimal digits.", 0);
    if (slot.len != 0 && slice_to_u64(slot, max_links - 1, &number) < 0)
        return refuse(a, 400, "bad_link", "Oneport-Link is a number below limits.links.", 0);
    snprintf(out->instance, sizeof out->instance, "%.*s", SLICE_FMT(instance));
    out->slot = (unsigned)number;
    out->pool = says_yes(f, SLICE("oneport-pool"));
    out->asks_who = says_yes(f, SLICE("oneport-viewer-connection"));
    out->asks_party = says_yes(f, SLICE("oneport-party"));
    return true;
}

static bool check_ticket(struct worker *w, struct call *c, struct attach *out, struct answer *a)
{
    struct call_judge judge = server_judge(w->server);
    switch (call_ticket(c, &judge)) {
    case TICKET_NONE:
        return refuse(a, 401, "unauthorized", "A ticket is needed: Authorization: Bearer.", 0);
    case TICKET_EXPIRED:
        return refuse(a, 401, "expired", "The ticket has expired: register again with it.", 0);
    case TICKET_GOOD:
        if (slice_ieq(c->route.builtin.name, slice_str(c->judged.ticket.name))) {
            out->ticket = c->judged.ticket;
            return true;
        }
        break;
    case TICKET_BAD:
        break;
    }
    refusal_bad_ticket(a, w, c->viewer, true, "The ticket is not valid for this name.");
    return false;
}

/* Judges the token that the ticket was issued for. A refusal is a 401, so that the client registers
 * again, and hears there what is wrong. */
static bool check_token(struct worker *w, struct call *c, struct attach *out, struct answer *a)
{
    struct call_judge judge = server_judge(w->server);
    enum token_verdict v = call_token(c, &judge);
    out->token = c->token.grant;
    if (v == TOKEN_GOOD)
        v = tokens_permit(judge.tokens, slice_str(out->ticket.tok), slice_str(out->ticket.name),
                          clock_wall_s());
    if (v == TOKEN_GOOD)
        v = domain_wanted(&c->m->fields, judge.tokens, slice_str(out->ticket.tok), out->domain);
    if (v == TOKEN_GOOD && !policing_knows(w->server, out->token.policy))
        v = TOKEN_POLICY;
    if (v == TOKEN_GOOD)
        return true;
    return refuse(a, 401, v == TOKEN_NONE ? "token_required" : "token_revoked",
                  "The token of the ticket is not good for this name: register again.", 0);
}

/* Returns how many links the name may have. */
static size_t links_of(const struct worker *w, const struct attach *at)
{
    uint64_t own = at->token.links, most = w->server->config->limits.links;
    return own > 0 && own < most ? own : most;
}

/* Refuses because of @err, of registry_claim. */
static bool refuse_claim(struct answer *a, struct worker *w, const struct viewer *v, int err,
                         unsigned retry_after)
{
    if (err == ERR_LIMIT)
        refusal_full(a, FULL_RETRY_S);
    else if (err == ERR_ABUSE)
        refusal_too_many_names(a, w, v);
    else if (err == ERR_DENIED)
        refusal_too_many_of_token(a);
    else if (err == ERR_EXPIRED)
        refuse(a, 401, "stale", "The name has a newer ticket: register again with this one.", 0);
    else
        refuse(a, 409, "name_taken", "Another owner holds this name.", retry_after);
    return false;
}

/* Gives @t the domain that the call asks for. A call that asks for none leaves @t the domain that
 * it has, if the token permits it still and nobody else has got it since. Returns false when the
 * domain that is asked for is another name's. */
static bool settle_domain(struct worker *w, struct tunnel *t, struct attach *out)
{
    bool asked = out->domain[0];
    if (!asked && t->domain &&
        tokens_permit_domain(w->server->tokens, slice_str(out->ticket.tok), slice_str(t->domain),
                             clock_wall_s()) == TOKEN_GOOD)
        snprintf(out->domain, sizeof out->domain, "%s", t->domain);
    bool has = registry_set_domain(w->registry, t, slice_str(out->domain)) == 0;
    return has || (!asked && registry_set_domain(w->registry, t, SLICE("")) == 0);
}

/* Puts in force what the name @t has by the call, and judges whether the client may join. Returns
 * false after a refusal. */
static bool check_tunnel(struct worker *w, const struct viewer *v, struct tunnel *t,
                         struct policy *policy, struct attach *out, struct answer *a)
{
    struct place place = attach_place(out);
    unsigned retry_after = 0;
    policing_set(w, t, policy);
    if (!policing_force(w, t)) { /* it went this very moment */
        refusal_token(a, w, v, TOKEN_POLICY);
        return false;
    }
    if (t->old.state == OLD_SERVED)
        return refuse(a, 409, "name_taken", "An old client serves this name.", 0);
    if (!settle_domain(w, t, out)) {
        refusal_domain_taken(a);
        return false;
    }
    switch (tunnel_may_join(t, &place, links_of(w, out), loop_now_us(w->loop), &retry_after)) {
    case JOIN_TOO_MANY:
        return refuse(a, 429, "too_many_links", "This name has as many links as it may have.",
                      retry_after);
    case JOIN_FLAPPING:
        return refuse(a, 409, "flapping", "Two clients keep taking this name from each other.",
                      retry_after);
    case JOIN_OK:
        break;
    }
    return true;
}

/* Claims the name. A name that nobody held before is free again after a refusal. */
static bool check_place(struct worker *w, const struct viewer *v, struct policy *policy,
                        struct attach *out, struct answer *a)
{
    struct tunnel *t;
    struct address from;
    bool counts = address_of_viewer(v, &from);
    unsigned retry_after = 0;
    struct slice name = slice_str(out->ticket.name);
    struct claim how = {.asked = true,
                        .returning = true,
                        .attaches = true,
                        .rev = out->ticket.rev,
                        .from = counts ? &from : NULL,
                        .token = w->server->tokens ? &out->token : NULL};
    bool made = !registry_find(w->registry, name);
    int err = registry_claim(w->registry, name, out->ticket.owner, &how, &t, &retry_after);
    if (err < 0)
        return refuse_claim(a, w, v, err, retry_after);
    bool may = check_tunnel(w, v, t, policy, out, a);
    if (!may && made)
        registry_drop(w->registry, t);
    return may;
}

bool attach_accept(struct worker *w, struct call *c, size_t head_bytes, struct attach *out,
                   struct answer *refusal)
{
    struct policy_wish wish = {.policy = NULL};
    *out = (struct attach){0};
    if (w->server->draining)
        return refuse(refusal, 503, "draining", "The server is stopping.", 2);
    bool ok = check_head(c, head_bytes, refusal) &&
              check_instance(&c->m->fields, w->server->config->limits.links, out, refusal) &&
              policing_read(c, &wish, refusal) && check_ticket(w, c, out, refusal) &&
              check_token(w, c, out, refusal) &&
              !refusal_banned(refusal, w, slice_str(out->ticket.name), c->viewer) &&
              policing_lets_attach(w, &out->ticket, &wish, refusal) &&
              check_place(w, c->viewer, wish.policy, out, refusal);
    policy_drop(wish.policy);
    return ok;
}

struct place attach_place(const struct attach *at)
{
    return (struct place){slice_str(at->instance), at->slot, at->pool, at->asks_who,
                          at->asks_party};
}

void attach_response(struct message *m)
{
    message_init(m);
    m->status = 101;
    fields_add(&m->fields, SLICE("Upgrade"), SLICE("ptth"));
    fields_add(&m->fields, SLICE("ALPN"), SLICE("h2"));
}
