/* SPDX-License-Identifier: MIT */
/* session_time.c - a session's one timer: the peer's SETTINGS, signs of life, the round trip,
 * resets that wait for a token, readers that have stopped.
 *
 * Whatever is due first arms it; an armed timer that is early enough is left alone. A loop that was
 * late itself calls nobody dead. */
#include "h2mux/h2/session_int.h"

enum {
    LATE_US = 2000000, /* a loop that was late so much cannot call a peer dead */
    TICK_US = 1000000,
    MEASURE_EVERY_US = 200000, /* while DATA comes, the round trip is measured anew */
    MEASURE_EVERY = 512 * 1024,
    THAW_US = 100000
};

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* Each session differs by its own part of a sixteenth, so that those which came together do not
 * speak together. The other end asks a sixteenth later than the opener: so it is one of them who
 * asks, and it is the one with many sessions, which asks several in one turn. */
static uint64_t quiet_us(const struct h2_session *s)
{
    uint64_t us = s->options.keepalive_ms * 1000, part = us / 16;
    uint64_t own = s->created_us % (part + 1);
    return s->role == H2_OPENER ? us + own : us + part + own;
}

static bool is_quiet(const struct h2_session *s, uint64_t now)
{
    return s->options.keepalive_ms != 0 && now >= s->last_rx_us + quiet_us(s);
}

static uint64_t next_due(const struct h2_session *s, uint64_t now)
{
    uint64_t due = UINT64_MAX;
    if (!s->up)
        due = earlier(due, s->created_us + s->options.settings_timeout_ms * 1000);
    if (s->ping_deadline_us != 0)
        due = earlier(due, s->ping_deadline_us);
    else if (s->options.keepalive_ms != 0)
        due = earlier(due, s->last_rx_us + quiet_us(s));
    if (!list_empty(&s->frozen))
        due = earlier(due, now + THAW_US);
    if (fill_is_tight(&s->fill) || h2_session_has_still(s))
        due = earlier(due, now + TICK_US);
    return due;
}

/* Lazily: an armed timer that is early enough is left alone; it will look again. */
void h2_session_arm(struct h2_session *s)
{
    uint64_t now = loop_now_us(s->loop);
    uint64_t due = next_due(s, now);
    if (due == UINT64_MAX || s->dead || (wheel_timer_armed(&s->timer) && s->timer_due_us <= due))
        return;
    s->timer_due_us = due;
    loop_arm_on_wheel(s->loop, &s->timer, due > now ? (due - now + 999) / 1000 : 0);
}

/* The time is the payload, so the answer tells the round trip. */
static void submit_ping(struct h2_session *s, uint64_t now)
{
    uint8_t opaque[8];
    memcpy(opaque, &now, sizeof opaque);
    nghttp2_submit_ping(s->ng, NGHTTP2_FLAG_NONE, opaque);
    h2_session_mark(s);
}

static void forget_answered_ping(struct h2_session *s)
{
    if (s->last_rx_us > s->ping_sent_us)
        s->ping_deadline_us = 0;
}

void h2_session_probe(struct h2_session *s, uint64_t ms)
{
    uint64_t now = loop_now_us(s->loop);
    uint64_t deadline = now + ms * 1000;
    forget_answered_ping(s);
    if (s->dead || (s->ping_deadline_us != 0 && s->ping_deadline_us <= deadline))
        return;
    s->ping_sent_us = now;
    s->ping_deadline_us = deadline;
    submit_ping(s, now);
    h2_session_arm(s);
}

/* The round trip that counts for windows is that of a busy link, not the one it had when idle. */
void h2_session_measure(struct h2_session *s, size_t bytes)
{
    s->rx_since_ping += bytes;
    if (s->rx_since_ping < MEASURE_EVERY || s->last_rx_us - s->ping_sent_us < MEASURE_EVERY_US)
        return;
    s->rx_since_ping = 0;
    h2_session_probe(s, s->options.ping_timeout_ms);
}

static void check_ping(struct h2_session *s, uint64_t now, bool late)
{
    forget_answered_ping(s);
    if (s->ping_deadline_us != 0 && late)
        s->ping_deadline_us = now + s->options.ping_timeout_ms * 1000;
    if (s->ping_deadline_us != 0 && now >= s->ping_deadline_us)
        h2_session_end(s, ERR_TIMEOUT, NGHTTP2_NO_ERROR, "no answer to PING", false);
    else if (s->ping_deadline_us == 0 && is_quiet(s, now))
        h2_session_probe(s, s->options.ping_timeout_ms);
}

static void thaw(struct h2_session *s, uint64_t now)
{
    while (!list_empty(&s->frozen) && bucket_take(&s->resets, 1, now))
        h2_stream_thaw(CONTAINER_OF(s->frozen.next, struct h2_stream, frozen));
}

void h2_session_run_timer(void *user)
{
    struct h2_session *s = user;
    uint64_t now = loop_now_us(s->loop);
    bool late = now > s->timer_due_us + LATE_US;
    if (!s->up && !late && now >= s->created_us + s->options.settings_timeout_ms * 1000) {
        h2_session_end(s, ERR_TIMEOUT, NGHTTP2_SETTINGS_TIMEOUT, "no SETTINGS came", false);
        return;
    }
    if (!s->up && late)
        s->created_us = now;
    check_ping(s, now, late);
    if (s->dead)
        return;
    thaw(s, now);
    h2_session_count_still(s, now);
    evict_group_relieve(&s->readers, &s->fill, s->share, now);
    h2_session_arm(s);
}
