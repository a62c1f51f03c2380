/* SPDX-License-Identifier: MIT */
/* register.c - answers a register call: judges the ticket, claims a name, writes down where the
 * tunnel is. JSON stays here, the table in registry.c. A call that is refused holds no name. */
#include "src/tunnels/register.h"

#include <stdio.h>

#include "h2mux/base/clock.h"
#include "h2mux/base/err.h"
#include "src/limits/quota.h"
#include "src/names/label.h"
#include "src/names/ticket.h"
#include "src/tunnels/registry.h"
#include "src/tunnels/tunnel.h"

enum { URL_MAX = 512, REGISTER_RETRY_S = 60, HTTP_PORT = 80, HTTPS_PORT = 443, RANDOM_TRIES = 3 };

/* Both texts are old clients' and the contract's; the second says what is true today. */
static const char invalid_name_old[] =
    "Invalid subdomain. Subdomains must be lowercase and between "
    "4 and 63 alphanumeric characters.";
static const char invalid_name[] = "A name has 3 to 63 characters: small letters, digits and, "
                                   "between them, hyphens. Some names are reserved.";

/* What a call asks for, and then what it gets. */
struct wish {
    char name[NAME_MAX_LEN + 1]; /* lower case; empty: random */
    bool asked, exact;
    bool renewal; /* a ticket was good: `ticket` holds its owner and since */
    struct ticket ticket;
    const struct viewer *viewer; /* borrowed from the call */
    struct tunnel *tunnel;       /* borrowed from the registry for the call */
};

bool call_is_secure(const struct viewer *v, bool tls, bool peer_local)
{
    if (v->proxied)
        return v->https;
    return tls || peer_local || (v->trusted && v->https);
}

/* ---- what was asked */

static struct slice field(const struct call *c, const char *name)
{
    return slice_trim(fields_value(&c->m->fields, slice_str(name)));
}

/* A secret was sent, whatever it is worth. */
static bool carries_secret(const struct call *c)
{
    return slice_istarts(field(c, "authorization"), SLICE("bearer")) ||
           fields_find(&c->m->fields, SLICE("oneport-ticket"));
}

static void refuse_name(struct answer *a, bool old)
{
    if (!old) {
        answer_refusal(a, 403, "invalid_name", invalid_name, 0);
        return;
    }
    cJSON *json = cJSON_CreateObject();
    cJSON_AddStringToObject(json, "message", invalid_name_old);
    answer_init(a, 403);
    answer_json(a, json);
}

static bool wish_name(struct wish *w, struct slice name)
{
    if (name.len > NAME_MAX_LEN)
        return false;
    memcpy(w->name, name.ptr, name.len);
    w->name[name.len] = '\0';
    ascii_lower(w->name, name.len);
    return name.len == 0 || label_valid(slice_str(w->name));
}

/* An expired ticket still proves who the owner is, as long as the name is that owner's (rule
 * O14). */
static bool holds_name(const struct registry *r, const struct ticket *t)
{
    const struct tunnel *held = registry_find(r, slice_str(t->name));
    return held && owner_eq(held->owner_id, t->owner);
}

/* false: the ticket is bad; @forged if it is more than that it has expired. No ticket is fine. */
static bool wish_ticket(struct wish *w, const struct call *c, const struct worker *worker,
                        bool *forged)
{
    const struct server *s = worker->server;
    size_t n = fields_count(&c->m->fields, SLICE("oneport-ticket"));
    if (n == 0)
        return true;
    int err = ticket_verify(s->keyring, slice_str(s->config->domain), field(c, "oneport-ticket"),
                            clock_wall_s(), &w->ticket);
    *forged = n > 1 || err != ERR_EXPIRED;
    if (n > 1 || (err < 0 && !(err == ERR_EXPIRED && holds_name(worker->registry, &w->ticket))))
        return false;
    if (!label_valid(slice_str(w->ticket.name)))
        return false;
    if (w->name[0] == '\0') /* a random name is resumed by its ticket alone */
        memcpy(w->name, w->ticket.name, sizeof w->name);
    w->renewal = strcmp(w->name, w->ticket.name) == 0;
    return w->renewal;
}

/* ---- what is given */

static bool is_held(struct slice name, void *user)
{
    return directory_find(user, name) != DIRECTORY_NOBODY;
}

/* One more owner: has its address one left? ERR_AGAIN: in @retry_after_s. */
static int new_owner(struct wish *w, const struct worker *worker, unsigned *retry_after_s)
{
    unsigned wait_s = quota_register(worker->server->quota, w->viewer, loop_now_us(worker->loop));
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
    return registry_claim(worker->registry, slice_str(w->name), w->ticket.owner, asked,
                          counts ? &from : NULL, &w->tunnel, retry_after_s);
}

/* Another worker may take the name between the look and the claim: then another one is drawn. */
static int draw_name(struct wish *w, const struct worker *worker)
{
    unsigned ignored;
    int err = ERR_OK;
    for (int i = 0; i < RANDOM_TRIES && err == 0; i++) {
        err = label_random(is_held, worker->server->directory, w->name);
        if (err == 0)
            err = claim(w, worker, false, &ignored);
        if (err != ERR_TAKEN)
            break;
        err = i + 1 < RANDOM_TRIES ? 0 : err;
    }
    return err;
}

/* ERR_TAKEN only for who wants this name or none. Who renews pays for no register, unless the name
 * is another's by now and a random one is given instead. */
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
    if (err == ERR_TAKEN &&
        *retry_after_s == 0) /* live: free at the earliest when its grace is over */
        *retry_after_s = (unsigned)(worker->server->config->name_grace_ms / 1000) + 1;
    return err;
}

/* ---- where it is */

/* The port as the caller knows it: in Host, or told by a trusted proxy; 0: neither. */
static uint16_t call_port(const struct call *c)
{
    struct slice host = c->m->authority;
    ptrdiff_t colon = slice_rfind(host, ':');
    uint64_t port = 0;
    if (colon > slice_rfind(host, ']') &&
        slice_to_u64(slice_skip(host, (size_t)colon + 1), UINT16_MAX, &port) == 0 && port > 0)
        return (uint16_t)port;
    return c->viewer->forwarded_port;
}

static uint16_t default_port(bool https)
{
    return https ? HTTPS_PORT : HTTP_PORT;
}

/* Options are checked at start, so they parse. */
static bool option_url(const char *text, struct base_url *out)
{
    return text && base_url_parse(text, out) == 0;
}

static struct base_url public_base(const struct config *config, const struct call *c)
{
    struct base_url url;
    if (!option_url(config->public_url, &url)) {
        url.https = c->viewer->https || config->secure;
        url.port = call_port(c);
    }
    url.host = slice_str(config->domain);
    if (url.port == 0)
        url.port = default_port(url.https);
    return url;
}

static struct base_url attach_base(const struct config *config, const struct call *c)
{
    struct base_url url;
    if (!option_url(config->attach_url, &url))
        url = (struct base_url){.host = slice_str(config->domain), .port = call_port(c)};
    url.https = true;
    if (url.port == 0)
        url.port = HTTPS_PORT;
    return url;
}

static void url_print(char out[static URL_MAX], const struct base_url *b, const char *label,
                      const char *path)
{
    char port[8] = "";
    if (b->port != default_port(b->https))
        snprintf(port, sizeof port, ":%u", (unsigned)b->port);
    snprintf(out, URL_MAX, "%s://%s%s%.*s%s%s", b->https ? "https" : "http", label,
             label[0] ? "." : "", SLICE_FMT(b->host), port, path);
}

/* ---- the answer */

static void add_limits(cJSON *json, const struct config *config)
{
    cJSON *limits = cJSON_AddObjectToObject(json, "limits");
    cJSON_AddNumberToObject(limits, "streams", (double)config->max_streams);
    cJSON_AddNumberToObject(limits, "links", (double)config->max_links);
    cJSON_AddNumberToObject(limits, "hold_ms", (double)config->hold_ms);
}

/* What only a secure answer carries. */
static int add_ticket(cJSON *json, const struct server *s, struct wish *w,
                      const struct base_url *attach)
{
    char text[TICKET_MAX], url[URL_MAX], path[sizeof "/tunnel/" + NAME_MAX_LEN];
    char expires[CLOCK_ISO_MAX];
    memcpy(w->ticket.name, w->name, sizeof w->name);
    w->ticket.exp = clock_wall_s() + (int64_t)(s->config->ticket_life_ms / 1000);
    int err = ticket_sign(s->keyring, slice_str(s->config->domain), &w->ticket, text);
    if (err < 0)
        return err;
    snprintf(path, sizeof path, "/tunnel/%s", w->name);
    url_print(url, attach, "", path);
    clock_iso(w->ticket.exp, expires);
    cJSON_AddStringToObject(json, "ticket", text);
    cJSON_AddStringToObject(json, "attach", url);
    cJSON_AddStringToObject(json, "expires", expires);
    add_limits(json, s->config);
    return 0;
}

static int answer_claimed(const struct server *s, const struct call *c, struct wish *w,
                          struct answer *a)
{
    char url[URL_MAX];
    struct base_url public = public_base(s->config, c), attach = attach_base(s->config, c);
    cJSON *json = cJSON_CreateObject();
    url_print(url, &public, w->name, "");
    cJSON_AddStringToObject(json, "id", w->name);
    cJSON_AddStringToObject(json, "url", url);
    cJSON_AddNumberToObject(json, "port", attach.port);
    cJSON_AddNumberToObject(json, "max_conn_count", (double)s->config->max_sockets);
    int err = c->secure ? add_ticket(json, s, w, &attach) : 0;
    if (err < 0) {
        cJSON_Delete(json);
        return err;
    }
    answer_init(a, 200);
    answer_json(a, json);
    LOG(INFO, "registered", "name=%s viewer=%s renewal=%d asked=%d secure=%d", w->name,
        c->viewer->address, w->renewal, w->tunnel->asked, c->secure);
    return 0;
}

/* What an address has had enough of: a line a second at most. */
static void refuse_address(struct answer *a, struct worker *w, const struct viewer *v,
                           const char *error, const char *message, unsigned retry_after_s)
{
    uint64_t suppressed;
    if (log_limit_pass(&w->quota_log, loop_now_us(w->loop), &suppressed))
        LOG(WARN, "address refused", "viewer=%s reason=%s suppressed=%llu", v->address, error,
            (unsigned long long)suppressed);
    answer_refusal(a, 429, error, message, retry_after_s);
}

void refuse_ticket(struct answer *a, struct worker *w, const struct viewer *v, bool forged,
                   const char *message)
{
    unsigned wait_s = forged ? quota_bad_ticket(w->server->quota, v, loop_now_us(w->loop)) : 0;
    if (wait_s == 0)
        answer_refusal(a, 403, "bad_ticket", message, 0);
    else
        refuse_address(a, w, v, "too_many_bad_tickets",
                       "Your address has come with bad tickets too often: wait a little.", wait_s);
}

void refuse_another_name(struct answer *a, struct worker *w, const struct viewer *v)
{
    refuse_address(a, w, v, "too_many_names", "Your address holds as many names as it may.",
                   REGISTER_RETRY_S);
}

static void refuse_register(struct answer *a, struct worker *w, const struct viewer *v,
                            unsigned retry_after_s)
{
    refuse_address(a, w, v, "too_many_registers",
                   "Your address has registered too often: wait a little.", retry_after_s);
}

static void answer_error(struct answer *a, struct worker *w, const struct viewer *v, int err,
                         unsigned retry_after_s)
{
    if (err == ERR_TAKEN)
        answer_refusal(a, 409, "name_taken", "This name is in use by somebody else.",
                       retry_after_s);
    else if (err == ERR_LIMIT)
        answer_refusal(a, 503, "too_many_tunnels", "This server holds as many names as it can.",
                       REGISTER_RETRY_S);
    else if (err == ERR_ABUSE)
        refuse_another_name(a, w, v);
    else if (err == ERR_AGAIN)
        refuse_register(a, w, v, retry_after_s);
    else
        answer_refusal(a, 500, "internal", "The server could not make a ticket.", 0);
}

bool register_resumes(const struct server *s, const struct message *m,
                      char name[static NAME_MAX_LEN + 1])
{
    struct ticket t;
    struct slice text = fields_value(&m->fields, SLICE("oneport-ticket"));
    int err = ticket_verify(s->keyring, slice_str(s->config->domain), text, clock_wall_s(), &t);
    if (text.len == 0 || (err < 0 && err != ERR_EXPIRED))
        return false;
    memcpy(name, t.name, sizeof t.name);
    return true;
}

void register_answer(struct worker *w, const struct call *c, struct slice name, bool old,
                     struct answer *a)
{
    const struct server *s = w->server;
    struct wish wish = {.exact = slice_eq(field(c, "oneport-exact"), SLICE("?1")),
                        .viewer = c->viewer};
    unsigned retry_after_s = 0;
    bool forged = false;
    stat_add(&w->stats.register_calls, 1);
    if (!c->secure && carries_secret(c)) {
        answer_refusal(a, 403, "tls_required", "Tokens and tickets are accepted over TLS only.", 0);
        return;
    }
    if (s->draining) {
        answer_refusal(a, 503, "draining", "This server is about to restart.", 2);
        return;
    }
    if (!wish_name(&wish, name)) {
        refuse_name(a, old);
        return;
    }
    if (!wish_ticket(&wish, c, w, &forged)) {
        refuse_ticket(a, w, c->viewer, forged, "The ticket is not for this name on this server.");
        return;
    }
    int err = claim_name(&wish, w, &retry_after_s);
    if (err == 0)
        err = answer_claimed(s, c, &wish, a);
    if (err < 0)
        answer_error(a, w, c->viewer, err, retry_after_s);
}
