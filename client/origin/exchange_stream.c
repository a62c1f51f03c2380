/* SPDX-License-Identifier: MIT */
/* exchange_stream.c - the exchange's stream to an origin that speaks HTTP/2: opens it, hears how it
 * goes, and gives it up. The far leg is the stream. */
#include "client/origin/exchange_int.h"
#include "client/origin/translate.h"
#include "h2mux/http/grpc.h"

/* Sends the request: its head, and what came of its body meanwhile. */
static void on_session(struct channel_waiter *w, struct h2_session *s)
{
    struct exchange *x = CONTAINER_OF(w, struct exchange, waiter);
    const struct message *m = &x->request.head;
    bool end = x->request.bodyless && !x->asked.websocket;
    if (x->asked.websocket && !h2_session_takes_websockets(s)) {
        client_exchange_fail(x, &failure_no_websockets, "upgrade",
                             "the service has announced no WebSockets over HTTP/2 (RFC 8441)");
        return;
    }
    struct leg *far = h2_stream_open(s, m, end, &relay_far_events, &x->relay);
    if (!far) {
        client_exchange_fail(x, &failure_internal, "stream", "the stream cannot be opened");
        return;
    }
    x->state = EXCHANGE_WAITING;
    relay_touch(&x->relay);
    relay_join(&x->relay, far);
    relay_show_head(&x->relay, RELAY_NEAR, m, end);
    if (x->asked.websocket || x->asked.grpc)
        leg_hint(far, LEG_INTERACTIVE);
    if (!x->asked.websocket)
        early_pass(&x->early, &x->relay);
    client_exchange_enter(x, EXCHANGE_WAITING);
}

static void on_failed(struct channel_waiter *w, const struct failure *f, const char *step,
                      const char *reason)
{
    client_exchange_fail(CONTAINER_OF(w, struct exchange, waiter), f, step, reason);
}

static const struct channel_waiter_ops waiter_ops = {.on_session = on_session,
                                                     .on_failed = on_failed};

void client_exchange_ask_stream(struct exchange *x)
{
    x->waiter.ops = &waiter_ops;
    x->state = EXCHANGE_CONNECTING; /* a timer that still runs finds nothing to do */
    channels_ask(x->env->channels, &x->waiter);
}

/* A stream of which both directions have ended may still have bytes to send. So it is let go of;
 * but an origin that has answered may leave a request unread for ever. */
void client_exchange_leave_stream(struct exchange *x)
{
    struct leg_fault why = {.err = ERR_CLOSED, .h2_code = H2_CANCEL, .reason = "exchange over"};
    channels_leave(&x->waiter);
    if (x->asked.websocket && x->relay.near.ended && x->relay.far.ended)
        relay_let_go(&x->relay, RELAY_FAR);
    else
        relay_reset(&x->relay, RELAY_FAR, &why);
}

void client_exchange_stream_ended(struct exchange *x)
{
    bool both = x->relay.near.ended && x->relay.far.ended;
    if (x->state == EXCHANGE_OPEN && both)
        client_exchange_close(x, ORIGIN_CLOSE);
    else if (x->state == EXCHANGE_RELAYING && x->relay.far.ended)
        client_exchange_response_ended(x);
}

/* ---- a second time */

enum {
    COPY_MOST = 64 * 1024,        /* of one body: what most calls of gRPC have */
    COPIES_MOST = 8 * 1024 * 1024 /* of all requests together */
};

void client_exchange_forget_copy(struct exchange *x)
{
    x->env->copied -= x->request.copied;
    x->request.copied = 0;
    early_free(&x->request.copy);
}

/* Returns whether what comes behind @before bytes of the body is to be copied. A copy that has a
 * gap would be of no use, so there is none from the first piece on that has no room. */
static bool may_copy(const struct exchange *x, uint64_t before)
{
    return before == x->request.copied && !x->asked.websocket && !x->connect.retried &&
           x->response.status == 0;
}

void client_exchange_copy(struct exchange *x, struct slice data, bool end)
{
    bool room = x->env->copied + data.len <= COPIES_MOST;
    if (!may_copy(x, x->relay.near.came - data.len))
        return;
    if (!room || early_keep_body(&x->request.copy, COPY_MOST, data, end) < 0) {
        client_exchange_forget_copy(x);
        return;
    }
    x->request.copied += (uint32_t)data.len;
    x->env->copied += data.len;
}

void client_exchange_copy_trailers(struct exchange *x, const struct fields *t)
{
    if (may_copy(x, x->relay.near.came))
        early_keep_trailers(&x->request.copy, t);
}

/* Returns whether the request may be sent again (D39): the origin provably did nothing with it, or
 * says so of one that may be sent twice, and there is a copy of all of its body; or it may be sent
 * twice, and the connection was lost. */
static bool may_ask_again(const struct exchange *x, const struct leg_fault *why)
{
    if (x->state != EXCHANGE_WAITING || x->connect.retried || x->response.interim.count > 0)
        return false;
    if (why->unprocessed && (!why->refused || method_is_idempotent(x->request.method)))
        return x->relay.near.came == x->request.copied;
    return why->err == ERR_LINK_LOST &&
           reuse_repeatable(&x->request.head, x->request.bodyless || x->asked.websocket);
}

static void ask_again(struct exchange *x)
{
    x->connect.retried = true;
    if (!x->request.bodyless) {
        relay_hold(&x->relay);
        relay_pass_again(&x->relay);
        early_free(&x->early);
        x->early = x->request.copy;
        x->request.copy = NULL;
        client_exchange_forget_copy(x);
    }
    client_exchange_ask_stream(x);
}

/* A service cancels a call of gRPC: its client is told so, not that the service is away. */
static void pass_cancel(struct exchange *x)
{
    struct message m;
    message_init(&m);
    grpc_fail(&m, GRPC_CANCELLED, SLICE("the service has cancelled the call"));
    x->response.status = m.status;
    relay_head(&x->relay, RELAY_FAR, &m, true);
    message_deinit(&m);
    client_exchange_close(x, ORIGIN_CLOSE);
}

void client_exchange_stream_reset(struct exchange *x, const struct leg_fault *why)
{
    bool answered = x->response.status != 0;
    if (may_ask_again(x, why)) {
        ask_again(x);
        return;
    }
    if (x->state == EXCHANGE_WAITING && x->asked.grpc && why->h2_code == H2_CANCEL) {
        pass_cancel(x);
        return;
    }
    /* The service takes no more of a WebSocket whose other direction has ended in order. */
    if (x->state == EXCHANGE_OPEN && why->err == ERR_CLOSED && x->relay.far.ended) {
        client_exchange_close(x, ORIGIN_CLOSE);
        return;
    }
    if (answered && why->h2_code == H2_CANCEL) {
        client_exchange_cut(x, H2_CANCEL, "cancelled by the service");
        return;
    }
    client_exchange_fail(x, failure_of_stream(why, answered),
                         answered ? "response body" : "response head", why->reason);
}
