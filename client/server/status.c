/* SPDX-License-Identifier: MIT */
/* status.c - see status.h. */
#include "client/server/status.h"

#include <cjson/cJSON.h>
#include <stdio.h>

#include "client/server/refusal.h"
#include "h2mux/base/err.h"
#include "h2mux/base/log.h"

enum { REASON_MAX = LOG_QUOTED_MAX + 64 };

static int wrong(const char **reason, const char *text)
{
    *reason = text;
    return ERR_PROTOCOL;
}

/* Returns whether @text is visible ASCII that fits into a status. */
static bool is_version(const char *text)
{
    size_t len = text ? strlen(text) : 0;
    for (size_t i = 0; i < len; i++)
        if (text[i] <= ' ' || text[i] > '~')
            return false;
    return len > 0 && len < STATUS_VERSION_MAX;
}

static int parse_members(const cJSON *o, struct status *out, const char **reason)
{
    const char *version = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(o, "version"));
    double live = cJSON_GetNumberValue(cJSON_GetObjectItemCaseSensitive(o, "live"));
    if (cJSON_HasObjectItem(o, "mem") && !version)
        return wrong(reason, "it is a server of localtunnel, not an oneportd");
    if (!is_version(version) || !cJSON_HasObjectItem(o, "links"))
        return wrong(reason, "its /api/status is not that of an oneportd");
    snprintf(out->version, sizeof out->version, "%s", version);
    out->live = live >= 0 && live < 1e15 ? (uint64_t)live : 0;
    return 0;
}

int status_parse(struct slice body, struct status *out, const char **reason)
{
    cJSON *o = cJSON_ParseWithLength(body.ptr, body.len);
    *out = (struct status){.live = 0};
    int err = cJSON_IsObject(o) ? parse_members(o, out, reason)
                                : wrong(reason, "its /api/status is not that of an oneportd");
    cJSON_Delete(o);
    return err;
}

static void on_answer(void *user, const struct call_answer *a)
{
    struct status_call *c = user;
    struct status s;
    struct refusal r;
    const char *reason;
    char text[REASON_MAX], location[LOG_QUOTED_MAX];
    if (a->status == 200 && status_parse(a->body, &s, &reason) == 0) {
        c->ops->on_status(c->user, &s);
        return;
    }
    if (a->status == 200) {
        c->ops->on_refused(c->user, reason);
        return;
    }
    refusal_from_answer(&r, a);
    if (refusal_is_redirect(&r)) {
        log_quote(slice_str(r.location), location);
        snprintf(text, sizeof text, "it answers %d, a redirect to %s: name that server", a->status,
                 location);
    } else {
        snprintf(text, sizeof text, "it answers %d to /api/status, which an oneportd does not",
                 a->status);
    }
    c->ops->on_refused(c->user, text);
}

static void on_failed(void *user, const char *step, int err, const char *reason)
{
    struct status_call *c = user;
    c->ops->on_failed(c->user, step ? step : "HTTP", err, reason);
}

static const struct call_ops call_ops = {.on_answer = on_answer, .on_failed = on_failed};

void status_start(struct status_call *c, const struct call_env *env, const struct url *url,
                  const struct status_ops *ops, void *user)
{
    struct message m;
    *c = (struct status_call){.ops = ops, .user = user};
    message_init(&m);
    m.path = SLICE("/api/status");
    struct call_target to = {.url = url};
    struct call *call = call_start(env, &to, &m, &call_ops, c);
    (void)call; /* it ends with its callback */
}
