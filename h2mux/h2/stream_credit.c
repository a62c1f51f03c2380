/* SPDX-License-Identifier: MIT */
/* stream_credit.c - what a stream may have under way, and what the link holds of all of them:
 * windows, credit, the memory budget. RFC 9113 6.9; http-rules 4.
 *
 * Invariants: reader.held is what was handed up and not credited; fill.used is the sum of all held,
 * and the share's that of all its sessions. */
#include "h2mux/h2/session_int.h"

enum {
    STILL_US = 1000000,
    STILL_FROM = 8,     /* bodies: fewer share what there is anyway */
    RAISE_US = 1000000, /* a crowd that comes and goes is no reason for SETTINGS all the time */
    TURNS = 4 * SCHEDULE_RUN /* a window of so many turns of the schedule: beside others a stream
                                waits for its turn and not for credit, so all get the same */
};

/* The peer changes the windows of all streams by as much (RFC 9113 6.9.2), and what they can grow
 * by is measured against what they are. */
static void announce(struct h2_session *s, uint32_t initial)
{
    int64_t step = (int64_t)initial - s->initial;
    nghttp2_settings_entry e = {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, initial};
    LIST_FOREACH (it, &s->streams) {
        struct h2_stream *st = CONTAINER_OF(it, struct h2_stream, node);
        int64_t size = st->window.size + step;
        st->window.size = size > initial ? (uint32_t)size : initial;
    }
    s->initial = initial;
    s->announced_us = loop_now_us(s->loop);
    nghttp2_submit_settings(s->ng, NGHTTP2_FLAG_NONE, &e, 1);
    h2_session_mark(s);
}

static void count_request(struct h2_session *s, int step)
{
    s->requests = (uint32_t)((int64_t)s->requests + step);
    uint32_t initial = window_initial(s->initial, s->requests);
    bool raise = initial > s->initial && loop_now_us(s->loop) - s->announced_us >= RAISE_US;
    if ((initial < s->initial || raise) && !s->dead)
        announce(s, initial);
}

void h2_stream_count_request(struct h2_stream *st)
{
    st->request_counted = !st->connect;
    if (st->request_counted)
        count_request(st->session, +1);
}

bool h2_session_has_still(const struct h2_session *s)
{
    return s->open_bodies > STILL_FROM;
}

static void count_body(struct h2_stream *st)
{
    struct h2_session *s = st->session;
    st->body_counted = true;
    s->open_bodies++;
    if (s->open_bodies == STILL_FROM + 1)
        h2_session_arm(s);
}

static void moves(struct h2_stream *st)
{
    st->session->still_bodies -= st->still > 0;
    st->session->still_held -= st->still;
    st->still = 0;
}

void h2_stream_uncount(struct h2_stream *st)
{
    moves(st);
    if (st->body_counted)
        st->session->open_bodies--;
    if (st->request_counted)
        count_request(st->session, -1);
    st->body_counted = st->request_counted = false;
}

/* What stands still needs no room to grow: those that move share it. */
void h2_session_count_still(struct h2_session *s, uint64_t now)
{
    if (!h2_session_has_still(s))
        return;
    LIST_FOREACH (it, &s->streams) {
        struct h2_stream *st = CONTAINER_OF(it, struct h2_stream, node);
        bool still = st->request_counted && st->body_counted && st->reader.held > 0 &&
                     now - st->reader.moved_us >= STILL_US;
        moves(st);
        st->still = still ? st->reader.held : 0;
        s->still_bodies += still;
        s->still_held += st->still;
    }
}

static uint32_t moving(const struct h2_session *s)
{
    return s->open_bodies - s->still_bodies;
}

bool h2_session_starves_others(const struct h2_session *s, size_t bytes)
{
    struct fill process = budget_fill(s->share);
    return fill_is_spent(&process) && s->fill.used + bytes > budget_fair(s->share, WINDOW_INITIAL);
}

/* Half of its part and less it may always have. */
static bool process_has_room(const struct h2_session *s)
{
    struct fill process = budget_fill(s->share);
    return !fill_is_tight(&process) || s->fill.used <= budget_fair(s->share, WINDOW_INITIAL) / 2;
}

void h2_session_withhold(struct h2_session *s, size_t bytes)
{
    s->withheld += bytes;
    if (s->share)
        budget_withhold(s->share, bytes);
}

void h2_session_release_withheld(struct h2_session *s)
{
    if (s->withheld == 0 || s->dead || fill_is_tight(&s->fill) || !process_has_room(s))
        return;
    nghttp2_session_consume_connection(s->ng, s->withheld);
    if (s->share)
        budget_restore(s->share, s->withheld);
    s->withheld = 0;
    h2_session_mark(s);
}

void h2_stream_give_back(struct h2_stream *st, uint64_t bytes)
{
    struct h2_session *s = st->session;
    if (bytes > st->reader.held)
        bytes = st->reader.held;
    evict_reader_release(&st->reader, bytes);
    s->fill.used -= bytes;
    budget_add(s->share, -(int64_t)bytes);
    if (s->withheld > 0)
        h2_session_release_withheld(s);
}

void h2_stream_data(struct h2_stream *st, struct slice data)
{
    struct h2_session *s = st->session;
    if (!st->leg.events || data.len == 0)
        return; /* given up: its window stays closed */
    if (!st->body_counted)
        count_body(st);
    evict_reader_hold(&s->readers, &st->reader, data.len, s->last_rx_us);
    s->fill.used += data.len;
    budget_add(s->share, (int64_t)data.len);
    if (fill_is_tight(&s->fill))
        h2_session_arm(s);
    st->leg.events->on_body(st->leg.exchange, &st->leg, data, false);
}

/* A long line's window follows from the round trip it has when idle. The time that a busy peer
 * needs counts as well up to some turns of the schedule, and up to WINDOW_BUSY for all together:
 * that saves WINDOW_UPDATEs, and what is under way stays short all the same. */
static uint64_t round_trip(const struct h2_stream *st)
{
    const struct h2_session *s = st->session;
    bool small =
        st->window.size < TURNS || (uint64_t)st->window.size * (moving(s) + 1) <= WINDOW_BUSY;
    return small ? s->rtt_us : s->rtt_least_us;
}

/* What is left for those that move: with what stands still together never more than the three
 * quarters that somebody has to go for. */
static struct fill of_moving(const struct h2_session *s)
{
    uint64_t off = s->still_held / 3 * 4;
    uint64_t left = s->fill.limit > off ? s->fill.limit - off : 0;
    return (struct fill){.used = s->fill.used - s->still_held, .limit = left};
}

static bool windows_may_grow(const struct h2_session *s)
{
    struct fill process = budget_fill(s->share), link = of_moving(s);
    return fill_may_grow(&link) && fill_may_grow(&process);
}

/* What bodies may share. Of the process it is all: how much of it other links need is not known,
 * and shows in windows_may_grow only when it has come. */
static uint64_t shared(const struct h2_session *s)
{
    uint64_t link = of_moving(s).limit, process = budget_fill(s->share).limit;
    return process < link ? process : link;
}

/* What a body may need beside others. More than the line can take shows only that its peer was
 * busy for a moment, or that it was alone. */
static uint64_t useful_window(const struct h2_session *s)
{
    uint64_t most = s->rtt_least_us * WINDOW_LINE_BEST;
    uint64_t busy = WINDOW_BUSY / (moving(s) + 1);
    most = most > busy ? most : busy;
    return most > TURNS ? most : TURNS;
}

/* What others have found out. */
static uint32_t known_window(const struct h2_session *s)
{
    uint64_t most = useful_window(s);
    return s->learned < most ? s->learned : (uint32_t)most;
}

/* It serves this body too, as long as there is room for all: a stream whose window is smaller than
 * those of others has a smaller share. 0: it has that already. */
static uint32_t common_window(const struct h2_stream *st, uint32_t bodies)
{
    const struct h2_session *s = st->session;
    if (!windows_may_grow(s))
        return 0;
    uint32_t size = window_start(known_window(s), s->rtt_least_us, bodies, shared(s));
    return size > st->window.size ? size : 0;
}

static bool may_double(const struct h2_stream *st)
{
    const struct h2_session *s = st->session;
    uint64_t share = window_share(moving(s) > 0 ? moving(s) - 1 : 0, shared(s));
    bool useful = moving(s) <= 1 || st->window.size < useful_window(s);
    return useful && windows_may_grow(s) && 2 * (uint64_t)st->window.size <= share;
}

static void set_window(struct h2_stream *st, uint32_t size)
{
    nghttp2_session_set_local_window_size(st->session->ng, NGHTTP2_FLAG_NONE, st->id,
                                          (int32_t)size);
    if (size > st->session->learned)
        st->session->learned = size;
}

void h2_stream_credit(struct leg *leg, size_t bytes)
{
    struct h2_stream *st = h2_stream_of(leg);
    struct h2_session *s = st->session;
    uint64_t now = loop_now_us(s->loop);
    h2_stream_give_back(st, bytes);
    st->reader.moved_us = now;
    moves(st);
    if (s->dead || st->reset_sent)
        return;
    uint32_t grown = window_credit(&st->window, bytes, now, round_trip(st), may_double(st));
    if (grown == 0 && (grown = common_window(st, moving(s))) > 0)
        window_init(&st->window, grown);
    if (grown > 0)
        set_window(st, grown);
    nghttp2_session_consume_stream(s->ng, st->id, bytes);
    h2_session_mark(s);
}

/* A body that is longer than its window, or may be, need not find out for itself; whoever else has
 * asked may be about to get one as well. */
void h2_stream_open_window(struct h2_stream *st, const struct message *m)
{
    const struct h2_session *s = st->session;
    bool large = m->length == MESSAGE_LENGTH_UNKNOWN || m->length > (int64_t)st->window.size;
    struct fill link = of_moving(s);
    bool room = fill_may_start_large(&link);
    uint32_t size = large && room ? common_window(st, s->requests - s->still_bodies) : 0;
    if (size == 0)
        return;
    window_init(&st->window, size);
    set_window(st, size);
}

/* ---- for evict.h */

static struct h2_stream *stream_of(struct evict_reader *r)
{
    return CONTAINER_OF(r, struct h2_stream, reader);
}

static bool reader_taken(struct evict_reader *r, uint64_t *bytes)
{
    struct h2_stream *st = stream_of(r);
    const struct leg_events *e = st->leg.events;
    if (!e || !e->on_taken)
        return false;
    *bytes = e->on_taken(st->leg.exchange, &st->leg);
    return true;
}

/* A stream that had said all holds its bytes until they are given back here: its reset sends
 * nothing. */
static void reader_give_up(struct evict_reader *r, uint64_t stalled_ms)
{
    struct h2_stream *st = stream_of(r);
    struct h2_session *s = st->session;
    struct leg_fault why = h2_fault(ERR_STALLED, NGHTTP2_CANCEL, false);
    const struct leg_events *events = st->leg.events;
    void *exchange = st->leg.exchange;
    if (s->ops->on_evicted)
        s->ops->on_evicted(s->user, stalled_ms, r->held);
    st->leg.ops->reset(&st->leg, &why);
    h2_stream_give_back(st, r->held);
    if (events)
        events->on_reset(exchange, &st->leg, &why);
}

static void restore_group(struct evict_group *g)
{
    h2_session_release_withheld(CONTAINER_OF(g, struct h2_session, readers));
}

const struct evict_ops h2_stream_evict_ops = {
    .taken = reader_taken,
    .give_up = reader_give_up,
    .restore = restore_group,
};
