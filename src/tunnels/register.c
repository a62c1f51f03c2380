/* SPDX-License-Identifier: MIT */
/* register.c - judges the ticket of a register call, claims a name and makes the JSON; see
 * register.h. Invariant: a call that is refused has claimed no name. */
#include "src/tunnels/register.h"

#include <stdio.h>

#include "h2mux/base/clock.h"
#include "h2mux/base/err.h"
#include "src/http/page_call.h"
#include "src/limits/quota.h"
#include "src/names/label.h"
#include "src/names/ticket.h"
#include "src/tunnels/policing.h"
#include "src/tunnels/refusal.h"
#include "src/tunnels/registry.h"
#include "src/tunnels/tunnel.h"
#include "src/tunnels/urls.h"

enum { REGISTER_RETRY_S = 60, RANDOM_TRIES = 3, PERMITTED_TRIES = 64 };

/* Holds the name that a call asks for, and later the name and the tunnel that the call gets. */
struct wish {
    char name[NAME_MAX_LEN + 1]; /* lower case; empty: random */
    bool asked, exact;
    bool keep;    /* the client keeps its ticket in a file */
    bool renewal; /* the call has a good ticket for this name */
    bool plain;   /* the call has no field of ours, so it may be an old client's */
    bool served;  /* an old client at the caller's address serves this name */
    bool made;    /* nobody held the name before this call */
    struct ticket ticket;
    const struct viewer *viewer;     /* borrowed from the call */
    const struct token_grant *token; /* borrowed from the call; NULL: no tokens */
    char domain[TOKEN_HOST_MAX + 1]; /* of its own, as the token permits; empty: none */
    struct policy_wish policy;       /* what says who may look */
    struct tunnel *tunnel;           /* borrowed from the registry for the call */
};

/* ---- what was asked */

static struct slice field(const struct call *c, const char *name)
{
    return slice_trim(fields_value(&c->m->fields, slice_str(name)));
}

/* Returns whether the call carries a bearer token or a ticket, good or bad. */
static bool carries_secret(const struct call *c)
{
    return slice_istarts(field(c, "authorization"), SLICE("bearer")) ||
           fields_find(&c->m->fields, SLICE("oneport-ticket"));
}

/* Takes the name that is asked for. Returns what is wrong with it, or NULL. */
static const char *wish_name(struct wish *w, struct slice name)
{
    if (name.len > NAME_MAX_LEN)
        return label_fault(name);
    memcpy(w->name, name.ptr, name.len);
    w->name[name.len] = '\0';
    ascii_lower(w->name, name.len);
    return name.len == 0 ? NULL : label_fault(slice_str(w->name));
}

/* Returns whether the owner in the ticket @t holds the ticket's name now, or has it reserved. In
 * that case even an expired ticket is good (rule O14). */
static bool holds_name(const struct worker *w, const struct ticket *t)
{
    const struct tunnel *held = registry_find(w->registry, slice_str(t->name));
    if (held)
        return owner_eq(held->owner_id, t->owner);
    return reserve_is_for(directory_reserve(w->server->directory), slice_str(t->name), t->owner);
}

/* Takes the ticket of the call into @w, if the call has a ticket. Returns false when the ticket
 * must be refused; @forged then says that the ticket has not merely expired. */
static bool wish_ticket(struct wish *w, struct call *c, const struct worker *worker, bool *forged)
{
    struct call_judge judge = server_judge(worker->server);
    enum ticket_verdict verdict = call_ticket(c, &judge);
    if (verdict == TICKET_NONE)
        return true;
    *forged = verdict != TICKET_EXPIRED;
    w->ticket = c->judged.ticket;
    if (verdict == TICKET_BAD || (verdict == TICKET_EXPIRED && !holds_name(worker, &w->ticket)) ||
        !label_valid(slice_str(w->ticket.name)))
        return false;
    if (w->name[0] == '\0') /* the path has no name, so the ticket's name counts */
        memcpy(w->name, w->ticket.name, sizeof w->name);
    w->renewal = strcmp(w->name, w->ticket.name) == 0;
    return w->renewal;
}

/* ---- what is given */

static bool is_held(struct slice name, void *user)
{
    uint8_t ignored[OWNER_LEN];
    return directory_find(user, name) != DIRECTORY_NOBODY ||
           reserve_until(directory_reserve(user), name, ignored) > 0;
}

/* Makes a new owner, which counts against the register quota of the viewer's address. Returns 0;
 * ERR_AGAIN when the quota is used up, with the seconds to wait in @retry_after_s; or ERR_IO when
 * OpenSSL has no random bytes. */
static int new_owner(struct wish *w, const struct worker *worker, unsigned *retry_after_s)
{
    unsigned wait_s =
        quota_take_register(worker->server->quota, w->viewer, loop_now_us(worker->loop));
    if (wait_s > 0) {
        *retry_after_s = wait_s;
        return ERR_AGAIN;
    }
    w->renewal = false;
    w->ticket.since = clock_wall_s();
    return owner_new(w->ticket.owner);
}

static int claim(struct wish *w, const struct worker *worker, bool asked, unsigned *retry_after_s)
{
    struct address from;
    bool counts = address_of_viewer(w->viewer, &from);
    struct claim how = {
        .asked = asked, .returning = w->renewal, .from = counts ? &from : NULL, .token = w->token};
    w->made = !registry_find(worker->registry, slice_str(w->name));
    return registry_claim(worker->registry, slice_str(w->name), w->ticket.owner, &how, &w->tunnel,
                          retry_after_s);
}

/* Draws a random name that the token permits. Returns 0; ERR_LIMIT when there is none; or ERR_CERT
 * when the token permits no random name. */
static int draw_permitted(struct wish *w, const struct server *s)
{
    char word[NAME_MAX_LEN + 1];
    struct slice id = slice_str(w->ticket.tok);
    int err = ERR_OK;
    for (int i = 0; i < PERMITTED_TRIES && err == 0; i++) {
        err = label_random(is_held, s->directory, word);
        if (err == 0 && tokens_fit(s->tokens, id, slice_str(word), w->name) < 0)
            return ERR_CERT;
        struct slice name = slice_str(w->name);
        if (err == 0 && label_valid(name) && !is_held(name, s->directory) &&
            tokens_permit(s->tokens, id, name, clock_wall_s()) == TOKEN_GOOD)
            return 0;
    }
    return err < 0 ? err : ERR_LIMIT;
}

/* Returns whether the call shows nothing, as those of old clients do. */
static bool is_plain(const struct call *c)
{
    return !fields_find(&c->m->fields, SLICE("oneport-ticket")) &&
           !fields_find(&c->m->fields, SLICE("authorization"));
}

/* Takes the owner of the name that is asked for, if an old client serves it whose address is the
 * caller's: its sockets carry no ticket either. */
static void wish_served(struct wish *w, const struct worker *worker)
{
    struct address from;
    const struct tunnel *t = registry_find(worker->registry, slice_str(w->name));
    w->served = w->plain && t && t->old.state == OLD_SERVED &&
                address_of_viewer(w->viewer, &from) && address_eq(&t->old.from, &from);
    if (!w->served)
        return;
    w->renewal = true;
    memcpy(w->ticket.owner, t->owner_id, OWNER_LEN);
}

/* Lets sockets from the caller's address serve the name that a plain call has got. */
static void note_caller(const struct wish *w, const struct worker *worker)
{
    struct old_claim old = {.state = OLD_CALLED};
    if (w->plain && !w->served && address_of_viewer(w->viewer, &old.from))
        registry_note_old(worker->registry, w->tunnel, &old);
}

/* Draws a random name and claims it. Draws again, RANDOM_TRIES times in all, when another worker
 * has taken the name before the claim. Returns 0, or the error of draw_permitted or
 * registry_claim. */
static int draw_name(struct wish *w, const struct worker *worker)
{
    unsigned ignored;
    int err = ERR_OK;
    for (int i = 0; i < RANDOM_TRIES && err == 0; i++) {
        err = draw_permitted(w, worker->server);
        if (err == 0)
            err = claim(w, worker, false, &ignored);
        if (err != ERR_TAKEN)
            break;
        err = i + 1 < RANDOM_TRIES ? 0 : err;
    }
    return err;
}

/* Claims the name that the call asks for, or a random name when the call names none. A call without
 * Oneport-Exact gets a random name when its name is taken. Only such a replacement makes a renewal
 * count against the register quota. Returns 0, or the error of new_owner or registry_claim. */
static int claim_name(struct wish *w, const struct worker *worker, unsigned *retry_after_s)
{
    bool renewal = w->renewal;
    int err = renewal ? ERR_OK : new_owner(w, worker, retry_after_s);
    if (err < 0)
        return err;
    if (w->name[0] == '\0')
        return draw_name(w, worker);
    err = claim(w, worker, true, retry_after_s);
    if (err == ERR_TAKEN && !w->exact) {
        err = renewal ? new_owner(w, worker, retry_after_s) : ERR_OK;
        return err == ERR_OK ? draw_name(w, worker) : err;
    }
    if (err == ERR_TAKEN && *retry_after_s == 0) /* LIVE: not free before its grace is over */
        *retry_after_s = (unsigned)(worker->server->config->names.grace_ms / 1000) + 1;
    return err;
}

/* ---- the answer */

void register_host(const struct server *s, const struct call *c, char out[static REGISTER_HOST_MAX])
{
    struct base_url url = urls_public(s->config, c);
    bool plain = !url.https && !s->tls; /* a front end has TLS, at its own port */
    if (plain || url.port == URLS_HTTPS_PORT || url.port == URLS_HTTP_PORT)
        snprintf(out, REGISTER_HOST_MAX, "%s", s->config->domain);
    else
        snprintf(out, REGISTER_HOST_MAX, "%s:%u", s->config->domain, (unsigned)url.port);
}

static double lower(uint64_t own, uint64_t most)
{
    return (double)(own > 0 && own < most ? own : most);
}

static void add_limits(cJSON *json, const struct config *config, const struct token_grant *token)
{
    static const struct token_grant none = {.max = 0};
    cJSON *limits = cJSON_AddObjectToObject(json, "limits");
    token = token ? token : &none;
    cJSON_AddNumberToObject(limits, "streams", lower(token->streams, config->limits.streams));
    cJSON_AddNumberToObject(limits, "links", lower(token->links, config->limits.links));
    cJSON_AddNumberToObject(limits, "hold_ms", (double)config->names.hold_ms);
}

/* Adds the ticket, its expiry, the attach URL and the limits to the answer of a secure call.
 * Returns 0, or the error of ticket_sign. */
static int add_ticket(cJSON *json, const struct worker *worker, struct wish *w,
                      const struct base_url *attach)
{
    const struct server *s = worker->server;
    char text[TICKET_MAX], url[URLS_MAX], path[sizeof "/tunnel/" + NAME_MAX_LEN];
    char expires[CLOCK_ISO_MAX], policy[POLICY_HASH_TEXT];
    memcpy(w->ticket.name, w->name, sizeof w->name);
    w->ticket.exp = clock_wall_s() + (int64_t)(s->config->names.ticket_life_ms / 1000);
    w->ticket.rev = registry_issue(worker->registry, w->tunnel);
    memcpy(w->ticket.pol, policy_hash(w->policy.policy), sizeof w->ticket.pol);
    policy_hash_text(w->policy.policy, policy);
    int err = ticket_sign(s->keyring, slice_str(s->config->domain), &w->ticket, text);
    if (err < 0)
        return err;
    snprintf(path, sizeof path, "/tunnel/%s", w->name);
    urls_print(url, attach, "", path);
    clock_iso(w->ticket.exp, expires);
    cJSON_AddStringToObject(json, "ticket", text);
    cJSON_AddStringToObject(json, "attach", url);
    cJSON_AddStringToObject(json, "expires", expires);
    if (policy[0])
        cJSON_AddStringToObject(json, "policy", policy);
    add_limits(json, s->config, w->token);
    return 0;
}

static int answer_claimed(const struct worker *worker, const struct call *c, struct wish *w,
                          struct answer *a)
{
    const struct server *s = worker->server;
    char url[URLS_MAX];
    struct base_url public = urls_public(s->config, c), attach = urls_attach(s->config, c);
    cJSON *json = cJSON_CreateObject();
    if (w->domain[0])
    public.host = slice_str(w->domain);
    urls_print(url, &public, w->domain[0] ? "" : w->name, "");
    cJSON_AddStringToObject(json, "id", w->name);
    cJSON_AddStringToObject(json, "url", url);
    cJSON_AddNumberToObject(json, "port", attach.port);
    cJSON_AddNumberToObject(json, "max_conn_count", (double)config_leap_connections(s->config));
    bool ticket = c->secure && !w->served;
    int err = ticket ? add_ticket(json, worker, w, &attach) : 0;
    if (err < 0) {
        cJSON_Delete(json);
        return err;
    }
    if (c->secure && w->keep)
        registry_keep(worker->registry, w->tunnel);
    answer_init(a, 200);
    answer_json(a, json);
    return 0;
}

static void log_registered(struct worker *w, const struct call *c, const struct wish *wish)
{
    uint64_t suppressed;
    char policy[POLICY_HASH_TEXT];
    if (worker_may_log(w, WORKER_REGISTERED, &suppressed))
        LOG(INFO, "registered", LOG_STR("name", wish->name), LOG_STR("viewer", c->viewer->address),
            LOG_STR("token", wish->token ? wish->token->id : "-"),
            LOG_STR("domain", wish->domain[0] ? wish->domain : "-"),
            LOG_STR("policy", policy_hash_text(wish->policy.policy, policy)),
            LOG_B("renewal", wish->renewal), LOG_B("asked", wish->tunnel->asked),
            LOG_B("secure", c->secure), LOG_U("suppressed", suppressed));
}

/* Logs who was refused what, and why. */
static void log_refused(struct worker *w, const struct call *c, const struct answer *a)
{
    uint64_t suppressed;
    const char *id = c->token.grant.id;
    if (worker_may_log(w, WORKER_REGISTER_REFUSED, &suppressed))
        LOG(INFO, "register_refused", LOG_S("name", c->route.builtin.name),
            LOG_STR("viewer", c->viewer->address), LOG_STR("token", id[0] ? id : "-"),
            LOG_I("status", a->head.status), LOG_STR("reason", a->error ? a->error : "-"),
            LOG_U("suppressed", suppressed));
}

static void answer_error(struct answer *a, struct worker *w, const struct viewer *v, int err,
                         unsigned retry_after_s)
{
    if (err == ERR_TAKEN)
        refusal_name_taken(a, retry_after_s);
    else if (err == ERR_LIMIT)
        refusal_full(a, REGISTER_RETRY_S);
    else if (err == ERR_ABUSE)
        refusal_too_many_names(a, w, v);
    else if (err == ERR_DENIED)
        refusal_too_many_of_token(a);
    else if (err == ERR_CERT)
        refusal_token(a, w, v, TOKEN_NAME);
    else if (err == ERR_AGAIN)
        refusal_too_many_registers(a, w, v, retry_after_s);
    else
        answer_refusal(a, 500, "internal", "The server could not make a ticket.", 0);
}

/* Judges whether the call may be made at all. Returns false after a refusal. */
static bool may_call(const struct worker *w, struct call *c, struct answer *a)
{
    struct call_judge judge = server_judge(w->server);
    if (!c->secure && carries_secret(c)) {
        answer_refusal(a, 403, "tls_required", "Tokens and tickets are accepted over TLS only.", 0);
        return false;
    }
    /* No page can know a token. */
    if (page_call(c->m, c->viewer->https) &&
        (!judge.tokens || call_token(c, &judge) != TOKEN_GOOD || !c->token.by_text)) {
        answer_refusal(a, 403, "not_for_pages", "Programs register names; a web page may not.", 0);
        return false;
    }
    if (w->server->draining) {
        answer_refusal(a, 503, "draining", "This server is about to restart.", 2);
        return false;
    }
    return true;
}

/* Judges the token, with the name that the call asks for. Returns false after a refusal. */
static bool take_token(struct wish *wish, struct worker *w, struct call *c, struct answer *a)
{
    struct call_judge judge = server_judge(w->server);
    struct slice name = slice_str(wish->name);
    enum token_verdict v = call_token(c, &judge);
    if (v == TOKEN_NONE && !carries_secret(c) && tokens_permit_leap(judge.tokens, name))
        v = TOKEN_GOOD;
    else if (v == TOKEN_GOOD && name.len > 0)
        v = tokens_permit(judge.tokens, slice_str(c->token.grant.id), name, clock_wall_s());
    if (v == TOKEN_GOOD)
        v = domain_wanted(&c->m->fields, judge.tokens, slice_str(c->token.grant.id), wish->domain);
    if (v == TOKEN_GOOD && !policing_knows(w->server, c->token.grant.policy))
        v = TOKEN_POLICY;
    if (v != TOKEN_GOOD) {
        refusal_token(a, w, c->viewer, v);
        return false;
    }
    if (judge.tokens)
        wish->token = &c->token.grant;
    memcpy(wish->ticket.tok, c->token.grant.id, sizeof wish->ticket.tok);
    return true;
}

/* Judges the ticket and the name of the call. A ban of the name counts, be the name in the path or
 * in the ticket. Returns false after a refusal. */
static bool take_ticket(struct wish *wish, struct worker *w, struct call *c, struct answer *a)
{
    bool forged = false;
    const char *fault = wish_name(wish, c->route.builtin.name);
    if (fault) {
        answer_refusal(a, 403, "invalid_name", fault, 0);
        return false;
    }
    if (refusal_banned(a, w, slice_str(wish->name), c->viewer))
        return false;
    if (!wish_ticket(wish, c, w, &forged)) {
        refusal_bad_ticket(a, w, c->viewer, forged,
                           "The ticket is not for this name on this server.");
        return false;
    }
    return !refusal_banned(a, w, slice_str(wish->name), c->viewer);
}

/* Gives the claimed name its domain and its policies, and makes the answer. Returns false after a
 * refusal. */
static bool furnish(struct wish *wish, struct worker *w, struct call *c, struct answer *a)
{
    if (registry_set_domain(w->registry, wish->tunnel, slice_str(wish->domain)) < 0) {
        refusal_domain_taken(a);
        return false;
    }
    policing_set(w, wish->tunnel, wish->policy.policy);
    note_caller(wish, w);
    if (!policing_force(w, wish->tunnel)) { /* it went this very moment */
        refusal_token(a, w, c->viewer, TOKEN_POLICY);
        return false;
    }
    int err = answer_claimed(w, c, wish, a);
    if (err < 0)
        answer_error(a, w, c->viewer, err, 0);
    return err == 0;
}

/* Gives a name, or refuses. Returns whether a name was given. */
static bool give(struct worker *w, struct call *c, struct wish *wish, struct answer *a)
{
    unsigned retry_after_s = 0;
    if (!take_ticket(wish, w, c, a) || !take_token(wish, w, c, a) ||
        !policing_lets_register(w, &wish->ticket, &wish->policy, a))
        return false;
    wish->plain = is_plain(c) && !wish->exact && !wish->keep;
    wish_served(wish, w);
    int err = claim_name(wish, w, &retry_after_s);
    if (err < 0) {
        answer_error(a, w, c->viewer, err, retry_after_s);
        return false;
    }
    bool given = furnish(wish, w, c, a);
    if (!given && wish->made)
        registry_drop(w->registry, wish->tunnel);
    return given;
}

void register_answer(struct worker *w, struct call *c, struct answer *a)
{
    struct wish wish = {.exact = slice_eq(field(c, "oneport-exact"), SLICE("?1")),
                        .keep = slice_eq(field(c, "oneport-keep"), SLICE("?1")),
                        .viewer = c->viewer};
    stat_add(&w->stats.register_calls, 1);
    if (may_call(w, c, a) && policing_read(c, &wish.policy, a) && give(w, c, &wish, a))
        log_registered(w, c, &wish);
    else
        log_refused(w, c, a);
    policy_drop(wish.policy.policy);
}
