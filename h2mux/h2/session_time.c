/* SPDX-License-Identifier: MIT */
/* session_time.c - runs the one timer of a session. The timer ends a session whose peer sends no
 * SETTINGS or does not answer a PING, sends PINGs to a silent peer, sends the resets that wait for
 * a token, and looks for readers that take nothing.
 *
 * The timer is armed for the earliest deadline. A timer that is armed for an earlier time stays
 * armed, and looks for deadlines then. If the loop itself was late, the peer gets more time. */
#include "h2mux/base/check.h"
#include "h2mux/h2/session_int.h"

enum {
    LATE_US = 2000000, /* if the loop is later than this, peers get more time */
    TICK_US = 1000000,
    MEASURE_EVERY_US = 200000, /* least time between two measurements while DATA comes */
    MEASURE_EVERY = 512 * 1024,
    MEASURE_START_US = 1000000, /* the same with requests on a long line */
    FIRSTS = 8,                 /* PINGs in the beginning of a link whose line seems to be long, */
    FIRSTS_A_TRIP = 16,         /* so many of which would go out in a round trip */
    THAW_US = 100000
};

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* Returns the silence (microseconds) after which the session sends a PING: the keepalive time and
 * up to a sixteenth more. The addition differs from session to session, so that sessions which
 * began together do not send together. A SERVER adds another sixteenth, so that only the OPENER's
 * end sends PINGs: one program there has many sessions, and sends the PINGs of several in one
 * turn. */
static uint64_t quiet_us(const struct h2_session *s)
{
    uint64_t us = s->options.keepalive_ms * 1000, part = us / 16;
    uint64_t own = s->keepalive.created_us % (part + 1);
    return s->host.role == H2_OPENER ? us + own : us + part + own;
}

static bool is_quiet(const struct h2_session *s, uint64_t now)
{
    return s->options.keepalive_ms != 0 && now >= s->host.last_rx_us + quiet_us(s);
}

static uint64_t next_due(const struct h2_session *s, uint64_t now)
{
    uint64_t due = UINT64_MAX;
    if (!s->settings.up)
        due = earlier(due, s->keepalive.created_us + s->options.settings_timeout_ms * 1000);
    if (s->keepalive.ping_deadline_us != 0)
        due = earlier(due, s->keepalive.ping_deadline_us);
    else if (s->options.keepalive_ms != 0)
        due = earlier(due, s->host.last_rx_us + quiet_us(s));
    if (!list_empty(&s->host.resets.frozen))
        due = earlier(due, now + THAW_US);
    if (fill_is_tight(&s->host.flow.fill) || stream_host_has_still(&s->host) ||
        s->host.flow.looks || stream_host_has_tails(&s->host))
        due = earlier(due, now + TICK_US);
    return due;
}

void h2_session_arm(struct h2_session *s)
{
    uint64_t now = loop_now_us(s->host.loop);
    uint64_t due = next_due(s, now);
    if (due == UINT64_MAX || s->host.over ||
        (wheel_timer_armed(&s->keepalive.timer) && s->keepalive.due_us <= due))
        return;
    s->keepalive.due_us = due;
    loop_arm_on_wheel(s->host.loop, &s->keepalive.timer, due > now ? (due - now + 999) / 1000 : 0);
}

/* Submits a PING whose payload is the time @now, so that the answer tells the round trip. */
static void submit_ping(struct h2_session *s, uint64_t now)
{
    uint8_t opaque[8];
    memcpy(opaque, &now, sizeof opaque);
    nghttp2_submit_ping(s->host.ng, NGHTTP2_FLAG_NONE, opaque);
    s->keepalive.unanswered++;
    stream_host_mark(&s->host);
}

static void forget_answered_ping(struct h2_session *s)
{
    if (s->host.last_rx_us > s->keepalive.ping_sent_us)
        s->keepalive.ping_deadline_us = 0;
}

void h2_session_probe(struct h2_session *s, uint64_t ms)
{
    uint64_t now = loop_now_us(s->host.loop);
    uint64_t deadline = now + ms * 1000;
    forget_answered_ping(s);
    if (s->host.over ||
        (s->keepalive.ping_deadline_us != 0 && s->keepalive.ping_deadline_us <= deadline))
        return;
    s->keepalive.ping_sent_us = now;
    s->keepalive.ping_deadline_us = deadline;
    submit_ping(s, now);
    h2_session_arm(s);
}

/* Counts @bytes of DATA, and sends a PING after each 512 KiB (MEASURE_EVERY), but at most one in
 * 200 ms. Windows need the round trip of a busy link, too. */
void h2_session_measure(struct h2_session *s, size_t bytes)
{
    s->keepalive.rx_since_ping += bytes;
    if (s->options.service || s->keepalive.rx_since_ping < MEASURE_EVERY ||
        s->host.last_rx_us - s->keepalive.ping_sent_us < MEASURE_EVERY_US)
        return;
    s->keepalive.rx_since_ping = 0;
    h2_session_probe(s, s->options.ping_timeout_ms);
}

/* ---- the beginning of a link
 *
 * A machine that is busy for a moment makes a short line look long. So the line is measured several
 * times, and the shortest round trip counts. On a long line these PINGs do not wait for each other:
 * all of them leave within half of a round trip, each in a segment of its own. A slow start of TCP
 * goes on from as many segments as were under way, so the first body needs a round trip less. */

/* Plans the next of the first PINGs, if the line seems to be long and not all of them are sent. */
static void plan_first(struct h2_session *s)
{
    const struct stream_flow *f = &s->host.flow;
    uint64_t trip = f->rtt_least_us > 0 ? f->rtt_least_us : f->rtt_begin_us;
    if (trip > WINDOW_NEAR_US && s->keepalive.firsts < FIRSTS)
        timer_arm(&s->keepalive.first, (trip / FIRSTS_A_TRIP + 999) / 1000);
    else
        timer_stop(&s->keepalive.first);
}

void h2_session_measure_first(void *user)
{
    struct h2_session *s = user;
    uint64_t now = loop_now_us(s->host.loop);
    s->keepalive.firsts++;
    if (s->keepalive.ping_deadline_us == 0)
        s->keepalive.ping_deadline_us = now + s->options.ping_timeout_ms * 1000;
    s->keepalive.ping_sent_us = now;
    submit_ping(s, now);
    plan_first(s);
    h2_session_arm(s);
}

void h2_session_noticed(struct h2_session *s)
{
    uint64_t now = loop_now_us(s->host.loop);
    s->goaway.noticed_us = s->keepalive.ping_sent_us = now;
    if (s->keepalive.ping_deadline_us == 0)
        s->keepalive.ping_deadline_us = now + s->options.ping_timeout_ms * 1000;
    submit_ping(s, now);
    h2_session_arm(s);
}

void h2_session_measured(struct h2_session *s, uint64_t rtt_us)
{
    struct stream_flow *f = &s->host.flow;
    f->rtt_us = rtt_us > 0 ? rtt_us : 1;
    if (f->rtt_least_us == 0 || f->rtt_us < f->rtt_least_us)
        f->rtt_least_us = f->rtt_us;
    s->tx.pace.trip_us = f->rtt_least_us;
    stream_host_fit_line(&s->host);
    stream_host_retier(&s->host);
    if (!s->options.service &&
        (!timer_armed(&s->keepalive.first) || f->rtt_least_us <= WINDOW_NEAR_US))
        plan_first(s);
}

void h2_session_measure_start(struct h2_session *s)
{
    if (!s->options.service &&
        loop_now_us(s->host.loop) - s->keepalive.ping_sent_us >= MEASURE_START_US)
        h2_session_probe(s, s->options.ping_timeout_ms);
}

static void check_ping(struct h2_session *s, uint64_t now, bool late)
{
    forget_answered_ping(s);
    if (s->keepalive.ping_deadline_us != 0 && late)
        s->keepalive.ping_deadline_us = now + s->options.ping_timeout_ms * 1000;
    if (s->keepalive.ping_deadline_us != 0 && now >= s->keepalive.ping_deadline_us)
        h2_session_end(s, ERR_TIMEOUT, NGHTTP2_NO_ERROR, "no answer to PING", false);
    else if (s->keepalive.ping_deadline_us == 0 && is_quiet(s, now))
        h2_session_probe(s, s->options.ping_timeout_ms);
}

static void thaw(struct h2_session *s, uint64_t now)
{
    while (!list_empty(&s->host.resets.frozen) && bucket_take(&s->host.resets.bucket, 1, now))
        h2_stream_thaw(CONTAINER_OF(s->host.resets.frozen.next, struct h2_stream, reset.frozen));
}

void h2_session_run_timer(void *user)
{
    struct h2_session *s = user;
    uint64_t now = loop_now_us(s->host.loop);
    bool late = now > s->keepalive.due_us + LATE_US;
    if (!s->settings.up && !late &&
        now >= s->keepalive.created_us + s->options.settings_timeout_ms * 1000) {
        h2_session_end(s, ERR_TIMEOUT, NGHTTP2_SETTINGS_TIMEOUT, "no SETTINGS came", false);
        return;
    }
    if (!s->settings.up && late)
        s->keepalive.created_us = now;
    check_ping(s, now, late);
    if (s->host.over)
        return;
    thaw(s, now);
    stream_host_count_still(&s->host, now);
    stream_host_look_for_slow(&s->host, now, late);
    stream_host_end_tails(&s->host, now);
    evict_group_relieve(&s->host.flow.readers, &s->host.flow.fill, s->host.flow.share, now);
    h2_session_arm(s);
    if (CHECKING)
        h2_session_check(s);
}
