/* SPDX-License-Identifier: MIT */
/* exchange_again.c - a request that the service may have refused for the name that it was asked by:
 * keeps the answer, asks once more by the service's own name, and passes on the answer that serves
 * the viewer, else the first one. Rules R43, R44. */
#include "client/origin/exchange_int.h"
#include "h2mux/base/check.h"
#include "h2mux/base/log.h"

/* Returns whether the request may be sent a second time, and nobody could tell: it changes nothing,
 * has no body, and goes on no connection that is somebody's own, and on no stream (rule D36). */
static bool may_ask(const struct exchange *x)
{
    const struct message *m = &x->request.head;
    bool safe =
        slice_eq(x->request.method, SLICE("GET")) || slice_eq(x->request.method, SLICE("HEAD"));
    return safe && !x->by_stream && (x->request.bodyless || x->asked.websocket) && !x->again &&
           x->response.status == 0 && !login_of_request(&m->fields) && !origin_is_private(x->conn);
}

/* ---- the first answer */

bool client_exchange_keep(struct exchange *x, struct message *m, bool end)
{
    if (!doubt_may_be(m) || m->length > AGAIN_MAX || !may_ask(x) || login_of_response(&m->fields) ||
        !host_choice_take(x->env->host, x->rewrite))
        return false;
    x->again = again_new(m);
    x->again->ended = end;
    x->relay.far.ended |= end;
    relay_touch(&x->relay);
    client_exchange_enter(x, EXCHANGE_KEEPING);
    return true;
}

void client_exchange_keep_body(struct exchange *x, struct slice data, bool end)
{
    struct again *a = x->again;
    bool fits = buf_append(&a->body, data) == 0;
    if (fits) {
        a->ended = end;
        if (!end)
            relay_credit_far(&x->relay, data.len);
        return; /* client_exchange_kept follows the end */
    }
    client_exchange_pass_kept(x);
    if (x->state != EXCHANGE_RELAYING)
        return;
    relay_body(&x->relay, RELAY_FAR, data, end);
    x->relay.far.ended |= end;
}

/* ---- the second request */

static void ask(struct exchange *x)
{
    x->again->asks = true;
    client_exchange_let_go(x, ORIGIN_CLOSE);
    relay_forget_far(&x->relay);
    relay_touch(&x->relay);
    x->rewrite = &x->env->host->local;
    rewrite_request(x->rewrite, &x->request.head);
    x->connect.retried = true;
    client_exchange_connect(x, REUSE_NONE);
}

void client_exchange_kept(struct exchange *x)
{
    const struct again *a = x->again;
    enum doubt kind = doubt_judge(&a->head, buf_slice(&a->body), x->asked.authority);
    if (host_choice_is_worth(x->env->host, kind, x->asked.websocket))
        ask(x);
    else
        client_exchange_pass_kept(x);
}

bool client_exchange_ask_unanswered(struct exchange *x, const struct failure *f, const char *reason)
{
    struct host_choice *host = x->env->host;
    if (x->state != EXCHANGE_WAITING || !may_ask(x) ||
        !host_choice_is_worth(host, DOUBT_SILENT, x->asked.websocket) ||
        !host_choice_take(host, x->rewrite))
        return false;
    x->again = again_new(NULL);
    x->again->failure = f;
    x->again->reason = reason;
    ask(x);
    return true;
}

/* ---- the second answer */

static bool serves(const struct exchange *x, const struct message *m,
                   const struct response_verdict *v)
{
    return v->kind == RESPONSE_OPEN ||
           (v->kind == RESPONSE_FINAL && m->status < 400 && !rewrite_leads_inside(x->rewrite, m));
}

bool client_exchange_is_served(struct exchange *x, const struct message *m,
                               const struct response_verdict *v)
{
    if (v->kind == RESPONSE_INTERIM || v->kind == RESPONSE_DROPPED)
        return false;
    if (!serves(x, m, v)) {
        client_exchange_pass_kept(x);
        return false;
    }
    again_free(&x->again);
    return true;
}

void client_exchange_note(struct exchange *x, int status)
{
    if (!host_choice_note(x->env->host, x->rewrite, status, x->asked.websocket))
        return;
    LOG(WARN, "host_header_rewritten", LOG_STR("origin", origin_address(x->env->origin)->text),
        LOG_S("refused", x->asked.authority), LOG_STR("host", x->rewrite->origin->authority),
        LOG_STR("advice", "the service refuses its public name, so it is asked by its own from now "
                          "on; --host-header rewrite does so from the start, keep never"));
}

/* ---- the first answer, all the same */

/* Passes on the head and what came of the body. */
static void pass(struct exchange *x, const struct again *a)
{
    size_t bytes = buf_len(&a->body);
    x->response.status = a->head.status;
    leg_hint(x->relay.near.leg, LEG_INTERACTIVE);
    relay_head(&x->relay, RELAY_FAR, &a->head, a->ended && bytes == 0);
    if (bytes > 0)
        relay_body(&x->relay, RELAY_FAR, buf_slice(&a->body), a->ended);
}

void client_exchange_pass_kept(struct exchange *x)
{
    struct again *a = x->again;
    x->again = NULL;
    relay_touch(&x->relay);
    if (!a->asks)
        host_choice_give_back(x->env->host);
    else
        x->relay.far = (struct relay_end){.leg = x->relay.far.leg, .came = buf_len(&a->body)};
    if (a->ended || a->asks)
        client_exchange_let_go(x, ORIGIN_CLOSE);
    x->relay.far.ended = a->ended;
    if (a->failure) {
        client_exchange_fail(x, a->failure, "response head", a->reason);
        again_free(&a);
        return;
    }
    x->state = a->ended ? EXCHANGE_SENDING : EXCHANGE_RELAYING; /* the try is given back already */
    pass(x, a);
    bool ended = a->ended;
    again_free(&a);
    if (x->state == EXCHANGE_DEAD)
        return;
    if (!ended)
        client_exchange_enter(x, EXCHANGE_RELAYING);
    else if (relay_waiting(&x->relay.far) == 0)
        client_exchange_close(x, ORIGIN_CLOSE);
    else
        client_exchange_enter(x, EXCHANGE_SENDING);
}
