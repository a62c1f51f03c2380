/* SPDX-License-Identifier: MIT */
/* door.c - see door.h. A tunnel without a policy costs one look at a pointer. */
#include "src/edge/door.h"

#include <stdlib.h>

#include "h2mux/base/clock.h"
#include "src/limits/abuse.h"
#include "src/limits/address_buckets.h"
#include "src/limits/bans.h"
#include "src/tunnels/policing.h"
#include "src/tunnels/registry.h"

static bool is_too_large(const struct worker *w, const struct message *m)
{
    uint64_t max = w->server->config->limits.body;
    return max != 0 && m->length != MESSAGE_LENGTH_UNKNOWN && (uint64_t)m->length > max;
}

/* Judges by what holds for all tunnels. */
static bool server_admits(struct worker *w, const struct tunnel *t,
                          const struct exchange_request *x, uint64_t now_us, enum failure *why)
{
    if (is_too_large(w, x->head))
        *why = FAIL_BODY_TOO_LARGE;
    else if (bans_bar(w->server->bans, slice_str(t->name), x->viewer, now_us))
        *why = FAIL_BARRED;
    else if (abuse_blocks(w->abuse, x->viewer, now_us))
        *why = FAIL_TOO_MANY_ABORTS;
    else if (!address_buckets_admit(w->requests, x->viewer, now_us)) /* --viewer-rate */
        *why = FAIL_TOO_MANY_REQUESTS;
    else
        return true;
    return false;
}

static struct pass_place place_of(struct worker *w, const struct tunnel *t, const struct viewer *v)
{
    return (struct pass_place){.keyring = w->server->keyring,
                               .name = t->name,
                               .owner = t->owner_id,
                               .policy = guard_own(t->guard),
                               .https = v->https,
                               .memo = login_memo(guard_login(t->guard))};
}

/* Keeps the pass that the viewer gets with its answer. */
static void keep_pass(struct exchange_request *x, const struct pass_place *at,
                      const struct login_look *look, int64_t now_s)
{
    char pass[PASS_MAX];
    if (look->fresh && pass_make(at, look->tag, now_s + PASS_LIFE_S, pass) == 0)
        x->pass = xstrdup(pass);
}

/* Judges a request for a name whose viewers have to sign in. */
static enum door_verdict gate_judges(struct worker *w, struct tunnel *t, struct exchange_request *x,
                                     uint64_t now_us, struct door_reply *out)
{
    int64_t now_s = clock_wall_s();
    struct pass_place at = place_of(w, t, x->viewer);
    enum login_verdict verdict =
        login_judge(guard_login(t->guard), &at, x->head, x->translated.websocket, x->viewer, now_us,
                    now_s, &out->look);
    switch (verdict) {
    case LOGIN_OPEN:
    case LOGIN_CHECK:
        keep_pass(x, &at, &out->look, now_s);
        return verdict == LOGIN_OPEN ? DOOR_OPEN : DOOR_CHECKS;
    case LOGIN_WANTED:
        out->why = policy_has_users(at.policy) ? FAIL_LOGIN : FAIL_KEY;
        break;
    case LOGIN_FOREIGN:
        out->why = FAIL_FOREIGN;
        break;
    case LOGIN_TOO_OFTEN:
        out->why = FAIL_TOO_MANY_REQUESTS;
        break;
    }
    return DOOR_REFUSES;
}

/* Returns whether the target is a link with a key. Sets @key, and @to to the page behind it. */
static bool is_link(struct slice path, struct slice *key, struct slice *to)
{
    if (!slice_starts(path, slice_str(ACCESS_KEY_PATH)))
        return false;
    struct slice rest = slice_skip(path, sizeof ACCESS_KEY_PATH - 1);
    size_t len = 0;
    while (len < rest.len && rest.ptr[len] != '/' && rest.ptr[len] != '?')
        len++;
    *key = slice_make(rest.ptr, len);
    *to = slice_skip(rest, len);
    bool own = to->len > 0 && to->ptr[0] == '/' &&
               (to->len == 1 || (to->ptr[1] != '/' && to->ptr[1] != '\\'));
    if (!own) /* the place of another site would begin so */
        *to = SLICE("/");
    return true;
}

/* Gives the viewer of a link with a good key its pass, and sends it to the page. */
static enum door_verdict use_key(struct worker *w, struct tunnel *t,
                                 const struct exchange_request *x, struct slice key,
                                 struct slice to, struct door_reply *out)
{
    struct pass_place at = place_of(w, t, x->viewer);
    uint8_t tag[PASS_TAG_LEN];
    char pass[PASS_MAX];
    const char *name;
    int64_t now_s = clock_wall_s(), until_s = 0;
    uint64_t suppressed;
    out->why = FAIL_KEY;
    if (!slice_eq(x->head->method, SLICE("GET")) || !login_may_have_cookie(&at, x->head) ||
        pass_tag(&at, key, now_s, tag) < 0 || !guard_use_key(t->guard, key, now_s, &name, &until_s))
        return DOOR_REFUSES;
    registry_note_used(w->registry, t);
    if (until_s == 0 || until_s > now_s + PASS_LIFE_S)
        until_s = now_s + PASS_LIFE_S;
    if (pass_make(&at, tag, until_s, pass) < 0)
        return DOOR_REFUSES;
    answer_redirect(&out->answer, 303, to);
    pass_set(&out->answer.head.fields, at.https, pass);
    fields_add(&out->answer.head.fields, SLICE("Referrer-Policy"), SLICE("no-referrer"));
    if (worker_may_log(w, WORKER_KEY_USED, &suppressed))
        LOG(INFO, "key_used", LOG_STR("name", t->name), LOG_STR("key", name),
            LOG_STR("viewer", x->viewer->address), LOG_U("suppressed", suppressed));
    return DOOR_ANSWERS;
}

/* Judges a request for a name with a policy. Who has to sign in takes no seat before. */
static enum door_verdict guard_judges(struct worker *w, struct tunnel *t,
                                      struct exchange_request *x, uint64_t now_us,
                                      struct door_reply *out)
{
    enum door_verdict verdict = DOOR_OPEN;
    const struct policy *own = guard_own(t->guard);
    struct slice key, to;
    if (!guard_judge(t->guard, x->viewer, now_us, clock_wall_s(), &out->why))
        return DOOR_REFUSES;
    if (own && policy_has_keys(own) && is_link(x->head->path, &key, &to))
        return use_key(w, t, x, key, to, out);
    if (guard_login(t->guard))
        verdict = gate_judges(w, t, x, now_us, out);
    if (verdict == DOOR_OPEN)
        x->seated = guard_seat(t->guard, x->viewer, now_us, &out->why);
    if (verdict == DOOR_REFUSES || (verdict == DOOR_OPEN && !x->seated)) {
        free(x->pass);
        x->pass = NULL;
        return DOOR_REFUSES;
    }
    guard_edit(t->guard, POLICY_REQUEST, &x->head->fields);
    x->guard = guard_hold(t->guard);
    return verdict;
}

enum door_verdict door_judge(struct worker *w, struct tunnel *t, struct exchange_request *x,
                             uint64_t now_us, struct door_reply *out)
{
    if (!server_admits(w, t, x, now_us, &out->why))
        return DOOR_REFUSES;
    if (!t->guard)
        return DOOR_OPEN;
    enum door_verdict verdict = guard_judges(w, t, x, now_us, out);
    policing_weigh(t);
    return verdict;
}
