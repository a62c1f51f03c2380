/* SPDX-License-Identifier: MIT */
/* builtin.c - calls the module that answers a built-in; see builtin.h. */
#include "src/edge/builtin.h"

#include <stdio.h>
#include <stdlib.h>

#include "h2mux/base/log.h"
#include "src/edge/admin.h"
#include "src/edge/challenge.h"
#include "src/tunnels/register.h"

/* A circle; the landing page has no other picture. */
#define ICON                                                                                       \
    "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 16 16\">"                             \
    "<circle cx=\"8\" cy=\"8\" r=\"6\" fill=\"none\" stroke=\"#888\" stroke-width=\"3\"/></svg>"

static enum builtin_verdict fail(struct builtin_result *out, enum failure why)
{
    out->failure = why;
    return BUILTIN_FAILURE;
}

static enum builtin_verdict attach(struct worker *w, struct call *c, size_t head_bytes,
                                   struct builtin_result *out)
{
    if (attach_accept(w, c, head_bytes, &out->attach, &out->answer))
        return BUILTIN_ATTACHES;
    uint64_t suppressed;
    if (worker_may_log(w, WORKER_ATTACH_REFUSED, &suppressed))
        LOG(INFO, "attach_refused", LOG_S("name", c->route.builtin.name),
            LOG_I("status", out->answer.head.status), LOG_STR("viewer", c->viewer->address),
            LOG_U("suppressed", suppressed));
    out->error = "attach_refused";
    out->close = true;
    return BUILTIN_ANSWER;
}

/* Refuses a client of localtunnel. Such a client takes any answer but a 200 for an error, and ends
 * with the message of a 2xx; after other answers it tries again each second. A browser has followed
 * a link: /NAME is no page, and /?new is the landing page. */
static enum builtin_verdict old_client(struct worker *w, const struct call *c,
                                       struct builtin_result *out)
{
    const char *domain = w->server->config->domain;
    if (answer_prefers_html(fields_value(&c->m->fields, SLICE("accept")))) {
        if (c->route.builtin.name.len > 0)
            return fail(out, FAIL_NOT_FOUND);
        admin_landing(w, c, &out->answer);
        return BUILTIN_ANSWER;
    }
    char *message =
        xasprintf("This server needs the oneport client: oneport --host %s PORT", domain);
    cJSON *json = cJSON_CreateObject();
    cJSON_AddStringToObject(json, "message", message);
    free(message);
    answer_init(&out->answer, 202);
    answer_json(&out->answer, json);
    out->error = "old_client";
    return BUILTIN_ANSWER;
}

static void file(struct builtin_result *out, struct slice type, struct slice body)
{
    answer_init(&out->answer, 200);
    answer_file(&out->answer, type, body);
}

/* Answers with what an authority expects to find (RFC 8555 8.3). */
static enum builtin_verdict challenge(struct worker *w, const struct call *c,
                                      struct builtin_result *out)
{
    const char *dir = w->server->config->urls.acme_dir;
    struct buf text;
    buf_init(&text, CHALLENGE_MAX);
    int err = dir ? challenge_read(dir, c->route.builtin.name, &text) : ERR_NOT_FOUND;
    if (err == 0)
        file(out, SLICE("application/octet-stream"), buf_slice(&text));
    buf_release(&text);
    return err == 0 ? BUILTIN_ANSWER : fail(out, FAIL_NOT_FOUND);
}

enum builtin_verdict builtin_serve(struct worker *w, struct call *c, size_t head_bytes,
                                   struct builtin_result *out)
{
    *out = (struct builtin_result){.error = NULL};
    switch (c->route.builtin.kind) {
    case BUILTIN_ATTACH:
        return attach(w, c, head_bytes, out);
    case BUILTIN_NONE:
        return fail(out, FAIL_NOT_FOUND);
    case BUILTIN_METHOD:
        out->allow = c->route.builtin.allow;
        return fail(out, FAIL_METHOD);
    case BUILTIN_OPTIONS:
        answer_options(&out->answer, c->route.builtin.allow);
        break;
    case BUILTIN_LANDING:
        admin_landing(w, c, &out->answer);
        break;
    case BUILTIN_OLD_CLIENT:
        return old_client(w, c, out);
    case BUILTIN_REGISTER:
        register_answer(w, c, &out->answer);
        break;
    case BUILTIN_STATUS:
        admin_status(w, &out->answer);
        break;
    case BUILTIN_TUNNEL_STATUS:
        admin_tunnel_status(w, slice_str(c->route.name), &out->answer);
        break;
    case BUILTIN_HEALTH:
        admin_health(w, &out->answer);
        break;
    case BUILTIN_ROBOTS:
        file(out, SLICE("text/plain"), SLICE("User-agent: *\nDisallow: /\n"));
        break;
    case BUILTIN_CHALLENGE:
        return challenge(w, c, out);
    case BUILTIN_ICON:
        file(out, SLICE("image/svg+xml"), SLICE(ICON));
        break;
    }
    return BUILTIN_ANSWER;
}

void builtin_redirect(const struct worker *w, const struct message *m, struct answer *a)
{
    const struct config *c = w->server->config;
    struct slice host = m->authority.len > 0 ? route_host_name(m->authority) : slice_str(c->domain);
    struct base_url public = {.port = 0};
    char port[8] = "";
    if (c->urls.public && base_url_parse(c->urls.public, &public) == 0 && public.https &&
        public.port != 0 && public.port != 443)
        snprintf(port, sizeof port, ":%u", public.port);
    struct slice path = slice_starts(m->path, SLICE("/")) ? m->path : SLICE("/");
    char *where = xasprintf("https://%.*s%s%.*s", SLICE_FMT(host), port, SLICE_FMT(path));
    answer_redirect(a, 308, slice_str(where));
    free(where);
}
