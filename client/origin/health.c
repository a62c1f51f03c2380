/* SPDX-License-Identifier: MIT */
/* health.c - see health.h. The timer is armed for the next request, or for the end of the one that
 * runs. */
#include "client/origin/health.h"

#include <stdio.h>
#include <stdlib.h>

#include "h2mux/base/log.h"
#include "h2mux/io/loop.h"

enum { EVERY_MS = 5 * 1000, AWAY_EVERY_MS = 1000, ANSWER_MS = 5 * 1000 };

struct health {
    struct health_options o;
    struct timer timer;
    bool running;             /* a request is */
    struct origin_conn *conn; /* leased while a request runs by HTTP/1.1 */
    struct channel_waiter waiter;
    struct leg *leg; /* the stream while a request runs by HTTP/2; NULL: none */
    uint64_t asked_us;
    uint64_t since_us; /* when the state began */
    struct health_look seen;
    char reason[128]; /* what seen.reason names */
};

static void tell(const struct health *h, uint64_t lasted_ms)
{
    const char *origin = origin_address(h->o.origin)->text;
    if (h->seen.state == HEALTH_GOOD)
        LOG(INFO, "app_answers", LOG_STR("origin", origin), LOG_STR("path", h->o.path),
            LOG_I("status", h->seen.status), LOG_U("ms", h->seen.ms), LOG_U("after_ms", lasted_ms));
    else if (h->seen.state == HEALTH_BAD)
        LOG(WARN, "app_fails", LOG_STR("origin", origin), LOG_STR("path", h->o.path),
            LOG_I("status", h->seen.status));
    else
        LOG(WARN, "app_does_not_answer", LOG_STR("origin", origin), LOG_STR("path", h->o.path),
            LOG_STR("reason", h->seen.reason));
}

/* Notes what was seen, and asks again later. */
static void note(struct health *h, struct health_look seen)
{
    uint64_t now = loop_now_us(h->o.loop);
    bool news = seen.state != h->seen.state;
    h->seen = seen;
    if (news) {
        tell(h, h->since_us > 0 ? (now - h->since_us) / 1000 : 0);
        h->since_us = now;
    }
    timer_arm(&h->timer, seen.state == HEALTH_GOOD ? EVERY_MS : AWAY_EVERY_MS);
}

static void give_up(struct health *h)
{
    const struct leg_fault why = {.err = ERR_CLOSED, .h2_code = H2_CANCEL, .reason = "given up"};
    struct origin_conn *c = h->conn;
    struct leg *stream = h->leg;
    h->running = false;
    h->conn = NULL;
    h->leg = NULL;
    channels_leave(&h->waiter);
    if (stream)
        stream->ops->reset(stream, &why);
    if (c && origin_h1(c))
        leg_untie(h1_conn_leg(origin_h1(c)));
    origin_discard(c, ORIGIN_CLOSE);
}

static void note_away(struct health *h, const char *reason)
{
    give_up(h);
    snprintf(h->reason, sizeof h->reason, "%s", reason);
    note(h, (struct health_look){.state = HEALTH_AWAY, .reason = h->reason});
}

/* ---- what the connection or the stream tells */

static void on_head(void *user, struct leg *leg, struct message *m, bool end)
{
    struct health *h = user;
    if (h->conn)
        origin_answers(h->conn, m, false);
    if (m->status < 200)
        return;
    struct health_look seen = {
        .state = m->status < 500 ? HEALTH_GOOD : HEALTH_BAD,
        .status = m->status,
        .ms = (loop_now_us(h->o.loop) - h->asked_us) / 1000,
    };
    give_up(h);
    note(h, seen);
}

static void on_body(void *user, struct leg *leg, struct slice data, bool end)
{
}

static void on_trailers(void *user, struct leg *leg, struct fields *t)
{
}

static void on_sent(void *user, struct leg *leg, size_t bytes)
{
}

static void on_reset(void *user, struct leg *leg, const struct leg_fault *why)
{
    ((struct health *)user)->leg = NULL;
    note_away(user, why->reason ? why->reason : err_text(why->err));
}

static const struct leg_events events = {
    .on_head = on_head,
    .on_body = on_body,
    .on_trailers = on_trailers,
    .on_sent = on_sent,
    .on_reset = on_reset,
};

static void make_request(const struct health *h, struct message *m)
{
    const struct url *url = &origin_address(h->o.origin)->url;
    message_init(m);
    m->method = SLICE("GET");
    m->scheme = url->https ? SLICE("https") : SLICE("http");
    m->authority = slice_str(url->authority);
    m->path = slice_str(h->o.path);
    m->length = MESSAGE_LENGTH_UNKNOWN;
    fields_add(&m->fields, SLICE("user-agent"), SLICE("oneport"));
    fields_add(&m->fields, SLICE("accept"), SLICE("*/*"));
}

static void on_ready(void *user)
{
    struct health *h = user;
    struct message m;
    make_request(h, &m);
    const struct leg_reply how = {.close = true};
    struct leg *leg = h1_conn_leg(origin_h1(h->conn));
    bool last = origin_asks(h->conn, &m, true);
    (void)last; /* it is the last in any case */
    leg_tie(leg, &events, h);
    leg_reply(leg, &how);
    h->asked_us = loop_now_us(h->o.loop);
    leg->ops->head(leg, &m, true);
    message_deinit(&m);
}

static void on_failed(void *user, enum dial_step step, int err, const char *reason)
{
    struct health *h = user;
    h->conn = NULL;
    note_away(h, reason);
}

static void on_response_end(void *user)
{
}

static void on_done(void *user)
{
    note_away(user, "the connection ended");
}

static const struct origin_ops ops = {
    .on_ready = on_ready,
    .on_failed = on_failed,
    .on_response_end = on_response_end,
    .on_done = on_done,
};

/* ---- by a stream */

static void on_session(struct channel_waiter *w, struct h2_session *s)
{
    struct health *h = CONTAINER_OF(w, struct health, waiter);
    struct message m;
    make_request(h, &m);
    h->asked_us = loop_now_us(h->o.loop);
    h->leg = h2_stream_open(s, &m, true, &events, h);
    message_deinit(&m);
    if (!h->leg)
        note_away(h, "the stream cannot be opened");
}

static void on_no_session(struct channel_waiter *w, const struct failure *f, const char *step,
                          const char *reason)
{
    note_away(CONTAINER_OF(w, struct health, waiter), reason);
}

static const struct channel_waiter_ops waiter_ops = {.on_session = on_session,
                                                     .on_failed = on_no_session};

/* ---- time */

static void on_timer(void *user)
{
    struct health *h = user;
    if (h->running) {
        note_away(h, "no answer in time");
        return;
    }
    h->running = true;
    timer_arm(&h->timer, ANSWER_MS);
    if (h->o.channels) {
        channels_ask(h->o.channels, &h->waiter);
        return;
    }
    h->conn = origin_acquire(h->o.origin, REUSE_NONE, SLICE(""), &ops, h);
    if (h->conn && origin_h1(h->conn))
        on_ready(h);
}

struct health *health_new(const struct health_options *o)
{
    struct health *h = xcalloc(1, sizeof *h);
    h->o = *o;
    h->waiter.ops = &waiter_ops;
    timer_init(&h->timer, o->loop, on_timer, h);
    timer_arm(&h->timer, 0);
    return h;
}

void health_free(struct health *h)
{
    if (!h)
        return;
    timer_stop(&h->timer);
    give_up(h);
    free(h);
}

struct health_look health_seen(const struct health *h)
{
    return h ? h->seen : (struct health_look){.state = HEALTH_UNKNOWN};
}
