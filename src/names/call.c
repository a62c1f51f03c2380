/* SPDX-License-Identifier: MIT */
/* call.c - verifies tickets, judges tokens and finds the worker of a call; see call.h. */
#include "src/names/call.h"

#include "h2mux/base/clock.h"
#include "h2mux/base/err.h"

enum route_kind call_route_host(struct slice domain, struct directory *d, struct slice authority,
                                char name[static NAME_MAX_LEN + 1])
{
    enum route_kind kind = route_host(domain, authority, name);
    bool own =
        kind == ROUTE_UNKNOWN && d && directory_find_domain(d, route_host_name(authority), name);
    return own ? ROUTE_TUNNEL : kind;
}

void call_init(struct call *c, struct slice domain, struct directory *d, const struct message *m)
{
    *c = (struct call){.m = m};
    route_find(domain, m, &c->route);
    if (c->route.kind == ROUTE_UNKNOWN)
        c->route.kind = call_route_host(domain, d, m->authority, c->route.name);
}

static bool is_secure(const struct viewer *v, bool tls, bool peer_local)
{
    if (v->proxied)
        return v->https;
    return tls || peer_local || (v->trusted && v->https);
}

void call_set_viewer(struct call *c, const struct viewer *v, bool tls, bool peer_local)
{
    c->viewer = v;
    c->tls = tls;
    c->secure = is_secure(v, tls, peer_local);
}

/* ---- the ticket */

static enum ticket_verdict verify(struct call *c, const struct call_judge *j, struct slice text)
{
    int err = ticket_verify(j->keyring, j->domain, text, clock_wall_s(), &c->judged.ticket);
    if (err == 0)
        return TICKET_GOOD;
    return err == ERR_EXPIRED ? TICKET_EXPIRED : TICKET_BAD;
}

static enum ticket_verdict judge_register(struct call *c, const struct call_judge *j)
{
    const struct fields *f = &c->m->fields;
    size_t n = fields_count(f, SLICE("oneport-ticket"));
    if (n == 0)
        return TICKET_NONE;
    if (n > 1)
        return TICKET_BAD;
    return verify(c, j, slice_trim(fields_value(f, SLICE("oneport-ticket"))));
}

/* Takes the text behind "Bearer" in Authorization. Returns false when there is none. */
static bool bearer(const struct call *c, struct slice *out)
{
    static const struct slice scheme = {"bearer ", sizeof "bearer " - 1};
    struct slice value = fields_value(&c->m->fields, SLICE("authorization"));
    *out = slice_trim(slice_skip(value, scheme.len));
    return slice_istarts(value, scheme);
}

static enum ticket_verdict judge_attach(struct call *c, const struct call_judge *j)
{
    struct slice text;
    return bearer(c, &text) ? verify(c, j, text) : TICKET_NONE;
}

enum ticket_verdict call_ticket(struct call *c, const struct call_judge *j)
{
    if (c->judged.done)
        return c->judged.verdict;
    c->judged.done = true;
    if (c->route.builtin.kind == BUILTIN_ATTACH)
        c->judged.verdict = judge_attach(c, j);
    else
        c->judged.verdict = judge_register(c, j);
    return c->judged.verdict;
}

/* ---- the token */

static enum token_verdict judge_of_ticket(struct call *c, const struct call_judge *j, int64_t now)
{
    struct slice id = slice_str(c->judged.ticket.tok), shown = slice_str(c->certificate);
    enum token_verdict v = tokens_look(j->tokens, id, now, &c->token.grant);
    bool proved = !j->tokens || slice_eq(shown, id) || (shown.len == 0 && c->token.grant.secret);
    return v == TOKEN_GOOD && !proved ? TOKEN_UNKNOWN : v;
}

static enum token_verdict judge_token(struct call *c, const struct call_judge *j)
{
    struct slice text;
    int64_t now = clock_wall_s();
    struct slice shown = slice_str(c->certificate);
    if (c->route.builtin.kind == BUILTIN_ATTACH)
        return judge_of_ticket(c, j, now);
    if (!j->tokens)
        return TOKEN_GOOD;
    c->token.by_text = bearer(c, &text);
    if (!c->token.by_text)
        return tokens_look(j->tokens, shown, now, &c->token.grant);
    if (fields_count(&c->m->fields, SLICE("authorization")) > 1)
        return TOKEN_UNKNOWN;
    enum token_verdict v = tokens_find(j->tokens, text, now, &c->token.grant);
    bool differ = shown.len > 0 && !slice_eq(shown, slice_str(c->token.grant.id));
    return v == TOKEN_GOOD && differ ? TOKEN_UNKNOWN : v;
}

enum token_verdict call_token(struct call *c, const struct call_judge *j)
{
    if (!c->token.done)
        c->token.verdict = judge_token(c, j);
    c->token.done = true;
    return c->token.verdict;
}

/* ---- the worker */

static int home_of_name(const struct call *c, struct directory *d)
{
    if (c->route.name[0] == '\0')
        return DIRECTORY_NOBODY;
    return directory_find(d, slice_str(c->route.name));
}

/* Returns the worker that has the name of a register call: the name in the path, or else the name
 * in the ticket. Returns DIRECTORY_NOBODY when the call has no name or no worker has it. */
static int home_of_register(struct call *c, const struct call_judge *j, struct directory *d)
{
    if (c->route.builtin.name.len > 0)
        return home_of_name(c, d);
    enum ticket_verdict verdict = call_ticket(c, j);
    if (verdict != TICKET_GOOD && verdict != TICKET_EXPIRED)
        return DIRECTORY_NOBODY;
    return directory_find(d, slice_str(c->judged.ticket.name));
}

static int home_of_builtin(struct call *c, const struct call_judge *j, struct directory *d)
{
    switch (c->route.builtin.kind) {
    case BUILTIN_REGISTER:
        return home_of_register(c, j, d);
    case BUILTIN_ATTACH:
    case BUILTIN_TUNNEL_STATUS:
        return home_of_name(c, d);
    case BUILTIN_NONE:
    case BUILTIN_OLD_CLIENT:
    case BUILTIN_LANDING:
    case BUILTIN_STATUS:
    case BUILTIN_HEALTH:
    case BUILTIN_ROBOTS:
    case BUILTIN_ICON:
    case BUILTIN_CHALLENGE:
    case BUILTIN_OPTIONS:
    case BUILTIN_METHOD:
        break;
    }
    return DIRECTORY_NOBODY;
}

int call_home(struct call *c, const struct call_judge *j, struct directory *d)
{
    switch (c->route.kind) {
    case ROUTE_TUNNEL:
        return home_of_name(c, d);
    case ROUTE_BASE:
        return home_of_builtin(c, j, d);
    case ROUTE_UNKNOWN:
        break;
    }
    return DIRECTORY_NOBODY;
}
