/* SPDX-License-Identifier: MIT */
/* session_end.c - ends a session: after a GOAWAY, when the peer has gone, after a fault, or when
 * the owner closes the session.
 *
 * An end that is decided inside nghttp2 is carried out by a task (closing.task) after nghttp2 has
 * returned. */
#include "h2mux/h2/session_int.h"

#include <stdlib.h>

#include "h2mux/base/check.h"

/* ---- goodbye */

/* Returns whether a request was opened whose HEADERS have not left. All requests must leave before
 * a GOAWAY: a peer that receives GOAWAY while no stream is open closes the connection, and requests
 * on their way would be lost. */
static bool heads_wait(const struct h2_session *s)
{
    LIST_FOREACH (it, &s->host.streams)
        if (!CONTAINER_OF(it, struct h2_stream, node)->tx.head_sent)
            return true;
    return false;
}

static void submit_goodbye(struct h2_session *s, struct slice debug)
{
    int32_t last = nghttp2_session_get_last_proc_stream_id(s->host.ng);
    nghttp2_submit_goaway(s->host.ng, NGHTTP2_FLAG_NONE, last, NGHTTP2_NO_ERROR,
                          (const uint8_t *)debug.ptr, debug.len);
    s->goaway.farewell.ptr = NULL;
}

bool h2_session_say_goodbye(struct h2_session *s)
{
    bool waits = s->host.role == H2_OPENER ? heads_wait(s) : !s->goaway.crossed;
    if (!s->goaway.farewell.ptr || waits)
        return false;
    submit_goodbye(s, s->goaway.farewell);
    return true;
}

/* ---- the end */

static void session_free(void *object)
{
    struct h2_session *s = object;
    nghttp2_session_del(s->host.ng);
    stream_host_deinit(&s->host);
    free(s);
}

static void close_streams(struct h2_session *s, int err)
{
    LIST_FOREACH (it, &s->host.streams) {
        struct h2_stream *st = CONTAINER_OF(it, struct h2_stream, node);
        bool unprocessed = s->host.role == H2_OPENER && !st->tx.head_sent;
        struct leg_fault why = h2_fault(err == ERR_OK ? ERR_LINK_LOST : err, 0, unprocessed);
        why.reason = "link lost";
        why.err = ERR_LINK_LOST;
        h2_stream_closed(st, &why);
    }
}

/* Sends all queued frames and the GOAWAY, without regard to the room in the sock, because the bytes
 * are in memory already. After that the sock finishes without an owner (sock_finish). */
static void last_words(struct h2_session *s, uint32_t code)
{
    if (s->goaway.farewell.ptr)
        submit_goodbye(s, s->goaway.farewell);
    if (!s->goaway.sent || code != NGHTTP2_NO_ERROR)
        nghttp2_session_terminate_session(s->host.ng, code);
    schedule_admit(&s->host.schedule, SIZE_MAX);
    schedule_pause(&s->host.schedule, false);
    h2_session_frame(s, SIZE_MAX);
    sock_finish(s->sock, 1000, SIZE_MAX);
}

static void end_now(struct h2_session *s, int err, uint32_t code, const char *reason, bool silent)
{
    s->host.over = true;
    s->closing.lost = s->host.open;
    task_cancel(&s->host.frame);
    task_cancel(&s->closing.task);
    task_cancel(&s->tx.goes_on);
    wheel_timer_stop(&s->keepalive.timer);
    timer_stop(&s->keepalive.first);
    timer_stop(&s->tx.opens);
    if (err == ERR_TIMEOUT && code == NGHTTP2_NO_ERROR)
        sock_abort(s->sock); /* FIN would wait after unacknowledged bytes */
    else if (err == ERR_EOF || err == ERR_IO || err == ERR_RESET || err == ERR_TIMEOUT ||
             err == ERR_TLS || err == ERR_TRUNCATED)
        sock_close(s->sock);
    else
        last_words(s, code);
    s->sock = NULL;
    close_streams(s, err);
    stream_host_leave_budget(&s->host);
    loop_reap(s->host.loop, &s->reap, session_free, s);
    if (CHECKING)
        h2_session_check(s);
    if (!silent)
        s->ops->on_closed(s->user, err, reason);
}

void h2_session_run_end(void *user)
{
    struct h2_session *s = user;
    end_now(s, s->closing.err, s->closing.code, s->closing.reason, s->closing.silent);
}

void h2_session_end(struct h2_session *s, int err, uint32_t h2_code, const char *reason,
                    bool silent)
{
    if (s->host.over)
        return;
    if (s->closing.in_library == 0) {
        end_now(s, err, h2_code, reason, silent || s->closing.silent);
        return;
    }
    if (!s->closing.reason) {
        s->closing.err = err;
        s->closing.code = h2_code;
        s->closing.reason = reason;
    }
    s->closing.silent |= silent;
    loop_defer(s->host.loop, &s->closing.task);
}

/* These functions serve a session that its owner has closed while nghttp2 is on the stack. They do
 * nothing, except that a new stream is refused. */
static void mute(void *user)
{
    (void)user;
}

static void mute_goaway(void *user, struct slice debug)
{
    (void)user, (void)debug;
}

static void mute_stream(void *user, struct leg *leg, struct message *m, bool end)
{
    struct leg_fault why = h2_fault(ERR_CLOSED, NGHTTP2_REFUSED_STREAM, true);
    leg->ops->reset(leg, &why);
}

static void mute_closed(void *user, int err, const char *reason)
{
    (void)user, (void)err, (void)reason;
}

static const struct h2_session_ops mute_ops = {
    .on_up = mute,
    .on_stream = mute_stream,
    .on_goaway = mute_goaway,
    .on_closed = mute_closed,
};

void h2_session_close(struct h2_session *s, uint32_t h2_code)
{
    s->ops = &mute_ops;
    h2_session_end(s, ERR_CLOSED, h2_code, "closed here", true);
}

void h2_session_goaway(struct h2_session *s, struct slice debug)
{
    if (s->host.over || s->goaway.sent)
        return;
    s->goaway.sent = true;
    if (s->host.role == H2_SERVER)
        nghttp2_submit_shutdown_notice(s->host.ng);
    if (s->host.role == H2_SERVER || heads_wait(s))
        s->goaway.farewell = debug;
    else
        submit_goodbye(s, debug);
    stream_host_mark(&s->host);
}
