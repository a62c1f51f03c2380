/* SPDX-License-Identifier: MIT */
/* stream_credit.c - counts the bytes that streams hold, and gives the credit of the connection. RFC
 * 9113 6.9; http-rules.md#memory. docs/flow-control.md has the whole policy as one formula.
 *
 * A stream holds the bytes that were handed up and not credited. A reader stands still if no credit
 * has come from it for STILL_US (1 s); otherwise it moves.
 *
 * Invariants: reader.held is the number of bytes that a stream holds; flow.fill.used is the sum of
 * all held bytes on the link, and share->held the sum over all links and tails of the thread. */
#include "h2mux/h2/stream_int.h"

enum {
    STILL_US = 1000000, /* a reader that takes nothing for this time stands still */
    STILL_FROM = 8,     /* bodies; up to this number no reader is looked at */
    FIRSTS = 16,        /* first windows that a process has room for */
    FIRSTS_OF_LINK = 8, /* the same of a link, which has four at most: half of its budget */
    RAISE_US = 1000000  /* least time between two raises of the initial window */
};

/* Announces @initial as the window that new streams begin with. The peer changes the windows of all
 * open streams by the same amount (RFC 9113 6.9.2), so this function changes flow.window of each
 * stream, too. */
static void announce(struct stream_host *h, uint32_t initial)
{
    int64_t step = (int64_t)initial - h->flow.initial;
    nghttp2_settings_entry e = {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, initial};
    h->flow.initial = initial;
    h->flow.announced_us = loop_now_us(h->loop);
    nghttp2_submit_settings(h->ng, NGHTTP2_FLAG_NONE, &e, 1);
    LIST_FOREACH (it, &h->streams) {
        struct h2_stream *st = CONTAINER_OF(it, struct h2_stream, node);
        h2_stream_step_window(st, step);
    }
    stream_host_mark(h);
}

/* Takes over what the line carries, unless that has hardly changed: SETTINGS are sent for it. */
static void take_rate(struct stream_host *h)
{
    uint64_t rate = stream_host_rate(h), before = h->flow.first_rate;
    if (4 * rate < 3 * before || 4 * rate > 5 * before)
        h->flow.first_rate = rate;
}

void stream_host_fit_line(struct stream_host *h)
{
    if (h->flow.uploads == 0)
        take_rate(h);
    uint64_t process = budget_fill(h->flow.share).limit / FIRSTS;
    uint64_t link = h->flow.fill.limit / FIRSTS_OF_LINK;
    uint64_t first = stream_host_line(h, h->flow.first_rate);
    first = first < process ? first : process;
    first = first < link ? first : link;
    bool larger = h->role == H2_SERVER && first > WINDOW_INITIAL;
    h->flow.first = larger ? (uint32_t)first : WINDOW_INITIAL;
}

void stream_host_retier(struct stream_host *h)
{
    const struct stream_flow *f = &h->flow;
    uint32_t initial = window_initial(f->initial, f->requests, h->open, f->first);
    bool raise =
        initial > h->flow.initial && loop_now_us(h->loop) - h->flow.announced_us >= RAISE_US;
    if ((initial < h->flow.initial || raise) && !h->over)
        announce(h, initial);
}

void h2_stream_count_request(struct h2_stream *st)
{
    st->flow.request_counted = !st->connect;
    st->host->flow.requests += st->flow.request_counted;
    if (st->flow.request_counted)
        h2_stream_count_asks(st, true);
    stream_host_retier(st->host);
}

bool stream_host_has_still(const struct stream_host *h)
{
    return h->flow.bodies > STILL_FROM;
}

static void count_body(struct h2_stream *st)
{
    struct stream_host *h = st->host;
    st->flow.body_counted = true;
    h->flow.bodies++;
    h2_stream_count_moves(st, true);
    h->flow.uploads += !st->connect;
    if (h->flow.bodies == STILL_FROM + 1)
        h->ops->arm(h);
}

/* Only a request with a body stands still. */
static void moves(struct h2_stream *st)
{
    if (st->flow.still == 0)
        return;
    st->host->flow.still_bodies--;
    st->host->flow.still_held -= st->flow.still;
    st->flow.still = 0;
    h2_stream_count_asks(st, true);
    h2_stream_count_moves(st, true);
}

static void stands_still(struct h2_stream *st)
{
    st->flow.still = st->reader.held;
    st->host->flow.still_bodies++;
    st->host->flow.still_held += st->flow.still;
    h2_stream_count_asks(st, false);
    h2_stream_count_moves(st, false);
}

void h2_stream_uncount(struct h2_stream *st)
{
    moves(st);
    h2_stream_forget_grant(st);
    h2_stream_forget_backlog(st);
    if (st->flow.body_counted) {
        st->host->flow.bodies--;
        st->host->flow.uploads -= !st->connect;
        h2_stream_count_moves(st, false);
    }
    if (st->flow.request_counted)
        h2_stream_count_asks(st, false);
    st->host->flow.requests -= st->flow.request_counted;
    st->flow.body_counted = st->flow.request_counted = false;
}

/* Finds the readers that stand still, and adds up the bytes that are held for them. Their windows
 * need not grow, so the readers that move share the rest of the budget. */
void stream_host_count_still(struct stream_host *h, uint64_t now)
{
    if (!stream_host_has_still(h))
        return;
    LIST_FOREACH (it, &h->streams) {
        struct h2_stream *st = CONTAINER_OF(it, struct h2_stream, node);
        bool still = st->flow.request_counted && st->flow.body_counted && st->reader.held > 0 &&
                     now - st->reader.moved_us >= STILL_US;
        moves(st);
        if (still)
            stands_still(st);
    }
}

/* Returns what the link may hold while the process is short of memory. A stranger, of whom there
 * may be any number, has one window. */
static uint64_t fair_part(const struct stream_host *h)
{
    return h->stranger ? WINDOW_INITIAL : budget_fair(h->flow.share, WINDOW_INITIAL);
}

bool stream_host_starves_others(const struct stream_host *h, size_t bytes)
{
    struct fill process = budget_fill(h->flow.share);
    return fill_is_spent(&process) && h->flow.fill.used + bytes > fair_part(h);
}

/* Returns whether the process has room to give this link its connection credit: less than three
 * quarters of the process's budget are used, or the link holds at most half of its fair part
 * (budget_fair). */
static bool process_has_room(const struct stream_host *h)
{
    struct fill process = budget_fill(h->flow.share);
    return !fill_is_tight(&process) || h->flow.fill.used <= fair_part(h) / 2;
}

void stream_host_withhold(struct stream_host *h, size_t bytes)
{
    h->flow.withheld += bytes;
    if (h->flow.share)
        budget_withhold(h->flow.share, bytes);
}

void stream_host_restore(struct stream_host *h)
{
    if (h->flow.withheld == 0 || h->over || fill_is_tight(&h->flow.fill) || !process_has_room(h))
        return;
    nghttp2_session_consume_connection(h->ng, h->flow.withheld);
    if (h->flow.share)
        budget_restore(h->flow.share, h->flow.withheld);
    h->flow.withheld = 0;
    stream_host_mark(h);
}

void h2_stream_give_back(struct h2_stream *st, uint64_t bytes)
{
    struct stream_host *h = st->host;
    if (bytes > st->reader.held)
        bytes = st->reader.held;
    moves(st);
    evict_reader_release(&st->reader, bytes);
    h->flow.fill.used -= bytes;
    budget_add(h->flow.share, -(int64_t)bytes);
    h2_stream_count_promise(st);
    if (h->flow.withheld > 0)
        stream_host_restore(h);
}

void h2_stream_data(struct h2_stream *st, struct slice data)
{
    struct stream_host *h = st->host;
    if (!st->leg.events || data.len == 0)
        return; /* no exchange has the stream: its window stays closed */
    if (!st->flow.body_counted)
        count_body(st);
    evict_reader_hold(&h->flow.readers, &st->reader, data.len, h->last_rx_us);
    h->flow.fill.used += data.len;
    budget_add(h->flow.share, (int64_t)data.len);
    h2_stream_count_promise(st);
    bool looks = st->flow.window.size > stream_host_least(h) && !h->flow.looks;
    h->flow.looks |= looks;
    if (looks || fill_is_tight(&h->flow.fill))
        h->ops->arm(h);
    st->leg.events->on_body(st->leg.exchange, &st->leg, data, false);
}
