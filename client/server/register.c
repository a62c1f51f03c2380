/* SPDX-License-Identifier: MIT */
/* register.c - see register.h. What the server says is checked before anything else sees it: the
 * URL goes to a terminal and a browser, the ticket into a field, and `attach` decides where the
 * ticket is sent. */
#include "client/server/register.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "h2mux/base/inet.h"

struct register_call {
    const struct call_env *env;     /* borrowed: outlives every call */
    const struct url *server;       /* borrowed: likewise */
    struct call *call;              /* weak: it ends with its answer */
    const struct register_ops *ops; /* static; NULL once over */
    void *user;                     /* borrowed: cancels before it dies */
    struct reap reap;
};

static int wrong(const char **reason, const char *text)
{
    *reason = text;
    return ERR_PROTOCOL;
}

/* Copies the member @name, a text of visible ASCII, into @to. Returns false when it is none, or too
 * long. */
static bool take_text(const cJSON *object, const char *name, char *to, size_t cap)
{
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, name));
    size_t len = text ? strlen(text) : 0;
    if (len == 0 || len >= cap)
        return false;
    for (size_t i = 0; i < len; i++)
        if (text[i] <= ' ' || text[i] > '~')
            return false;
    memcpy(to, text, len + 1);
    return true;
}

static int64_t parse_time(const char *text)
{
    struct tm tm = {0};
    const char *end = strptime(text, "%Y-%m-%dT%H:%M:%SZ", &tm);
    return end && *end == '\0' ? timegm(&tm) : 0;
}

static void parse_limits(const cJSON *o, struct grant *g)
{
    const cJSON *limits = cJSON_GetObjectItemCaseSensitive(o, "limits");
    double links = cJSON_GetNumberValue(cJSON_GetObjectItemCaseSensitive(limits, "links"));
    double hold_ms = cJSON_GetNumberValue(cJSON_GetObjectItemCaseSensitive(limits, "hold_ms"));
    g->links = 1;
    if (links >= 1) /* which NaN is not */
        g->links = links < UINT16_MAX ? (unsigned)links : UINT16_MAX;
    g->holds = hold_ms > 0;
}

static int parse_members(const cJSON *o, struct grant *g, const char **reason)
{
    char attach[REGISTER_URL_MAX], expires[64], policy[64];
    struct url url;
    if (!take_text(o, "id", g->id, sizeof g->id) || !take_text(o, "url", g->url, sizeof g->url) ||
        !strstr(g->url, "://") || url_parse(slice_str(g->url), &url) < 0)
        return wrong(reason, "the answer is not one of a tunnel server");
    if (!take_text(o, "ticket", g->ticket, sizeof g->ticket) ||
        !take_text(o, "attach", attach, sizeof attach))
        return wrong(
            reason,
            "the server grants no ticket: not an oneportd, or it takes this call for insecure");
    if (!slice_istarts(slice_str(attach), SLICE("https://")) ||
        url_parse(slice_str(attach), &g->attach) < 0)
        return wrong(reason, "the attach address is not an https URL");
    g->expires_s = take_text(o, "expires", expires, sizeof expires) ? parse_time(expires) : 0;
    g->guarded = take_text(o, "policy", policy, sizeof policy);
    parse_limits(o, g);
    return 0;
}

int register_parse(struct slice body, struct grant *g, const char **reason)
{
    cJSON *o = cJSON_ParseWithLength(body.ptr, body.len);
    *g = (struct grant){.expires_s = 0};
    int err =
        cJSON_IsObject(o) ? parse_members(o, g, reason) : wrong(reason, "the answer is not JSON");
    cJSON_Delete(o);
    return err;
}

void register_cancel(struct register_call *c)
{
    if (!c || !c->ops)
        return;
    c->ops = NULL;
    call_cancel(c->call);
    c->call = NULL;
    loop_reap(c->env->loop, &c->reap, free, c);
}

/* Ends the call. Returns the ops by which its owner is told. */
static const struct register_ops *finish(struct register_call *c)
{
    const struct register_ops *ops = c->ops;
    c->call = NULL;
    register_cancel(c);
    return ops;
}

static void refuse(struct refusal *r, int status, const char *error, const char *message)
{
    *r = (struct refusal){.status = status};
    snprintf(r->error, sizeof r->error, "%s", error);
    snprintf(r->message, sizeof r->message, "%s", message);
}

/* Returns whether only public addresses may be attached to: those of a server that has answered
 * from one (O41). Behind a proxy that address is unknown, so it counts as public, unless it was
 * given. */
static bool is_public(const struct register_call *c, const struct call_answer *a)
{
    if (!a->by_proxy)
        return a->from_public;
    struct addrinfo *given = resolver_literal(c->server->host, c->server->port);
    bool public = !given || inet_is_public(given->ai_addr);
    if (given)
        freeaddrinfo(given);
    return public;
}

/* Reads the grant @g of the answer @a, and judges where it sends the client. Returns false, with
 * the reason in @r, if the client does not take it. */
static bool take_grant(const struct register_call *c, const struct call_answer *a, struct grant *g,
                       struct refusal *r)
{
    const char *reason = NULL;
    char text[sizeof r->message];
    if (register_parse(a->body, g, &reason) < 0) {
        refuse(r, a->status, "bad_answer", reason);
        return false;
    }
    if (c->env->policy && !g->guarded) {
        refuse(r, a->status, "no_policies",
               "this server cannot restrict who may look: it is too old for --allow and the like");
        return false;
    }
    if (!reach_covers(&c->env->reach, c->server, &g->attach)) {
        snprintf(text, sizeof text,
                 "the server's attach address %.80s is neither its own host nor below it; "
                 "--attach-host %.80s allows it",
                 g->attach.authority, g->attach.host);
        refuse(r, a->status, "attach_elsewhere", text);
        return false;
    }
    g->attach_public = is_public(c, a);
    return true;
}

static void on_answer(void *user, const struct call_answer *a)
{
    struct register_call *c = user;
    const struct register_ops *ops = finish(c);
    struct grant g;
    struct refusal r;
    if (a->status != 200) {
        refusal_from_answer(&r, a);
        ops->on_refused(c->user, &r);
    } else if (!take_grant(c, a, &g, &r)) {
        ops->on_refused(c->user, &r);
    } else {
        ops->on_granted(c->user, &g);
    }
}

static void on_failed(void *user, const char *step, int err, const char *reason)
{
    struct register_call *c = user;
    finish(c)->on_failed(c->user, step ? step : "register", err, reason);
}

static const struct call_ops call_ops = {.on_answer = on_answer, .on_failed = on_failed};

struct register_call *register_start(const struct call_env *env, const struct url *server,
                                     const struct register_ask *ask, const struct register_ops *ops,
                                     void *user)
{
    struct register_call *c = xcalloc(1, sizeof *c);
    struct message m;
    char path[32 + URL_HOST_MAX];
    c->env = env;
    c->server = server;
    c->ops = ops;
    c->user = user;
    message_init(&m);
    snprintf(path, sizeof path, ask->name ? "/register/%s" : "/register",
             ask->name ? ask->name : "");
    m.path = fields_keep(&m.fields, slice_str(path));
    if (ask->ticket)
        fields_add_copy(&m.fields, SLICE("Oneport-Ticket"), slice_str(ask->ticket));
    if (env->token && (server->https || url_is_loopback(server)))
        fields_add_printf(&m.fields, SLICE("Authorization"), "Bearer %s", env->token);
    if (env->domain)
        fields_add_copy(&m.fields, SLICE("Oneport-Domain"), slice_str(env->domain));
    fields_add_copy(&m.fields, SLICE("Oneport-Policy"),
                    slice_str(env->policy ? env->policy : "{}"));
    if (ask->exact)
        fields_add(&m.fields, SLICE("Oneport-Exact"), SLICE("?1"));
    if (ask->keep)
        fields_add(&m.fields, SLICE("Oneport-Keep"), SLICE("?1"));
    struct call_target to = {.url = server, .keeps = ask->attaches};
    c->call = call_start(env, &to, &m, &call_ops, c);
    return c;
}
