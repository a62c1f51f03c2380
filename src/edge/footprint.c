/* SPDX-License-Identifier: MIT */
/* footprint.c - counts what viewers' connections hold, and closes their windows while the budget is
 * spent; see footprint.h. */
#include "src/edge/footprint.h"

#include "h2mux/base/check.h"

enum {
    WINDOW_LEAST = 16 * 1024 - 16, /* the bytes of one TLS record, and of one place in memory */
    WINDOW = 256 * 1024,           /* an upload between a viewer and a link */
    WINDOWS_LENT = 8 * 1024 * 1024,
    WINDOWS_PART = 8,       /* of the budget */
    CROWD = 4,              /* uploads that may have the largest window at least */
    UNTOLD_MAX = 64 * 1024, /* that other threads need not know of before the end of this turn */
    HEAD_USUAL = 16 * 1024  /* what a head may take, twice and with its fields, while it waits */
};

static struct footprint *footprint_of(struct evict_reader *r)
{
    return CONTAINER_OF(r, struct footprint, reader);
}

/* A usual request that waits for its answer, or whose answer rests, does not count as one that
 * stands still: it gives little memory back. */
static bool taken(struct evict_reader *r, uint64_t *bytes)
{
    const struct footprint *f = footprint_of(r);
    bool waits = h1_conn_outstanding(f->conn) == 0 && r->held < HEAD_USUAL;
    *bytes = waits ? loop_now_us(f->worker->loop) : h1_conn_progress(f->conn);
    return true;
}

static void give_up_reader(struct evict_reader *r, uint64_t stalled_ms)
{
    struct footprint *f = footprint_of(r);
    f->give_up(f, stalled_ms);
}

/* Opens the windows again when less than three quarters of the budget are used. */
static void restore(struct evict_group *g)
{
    struct worker *w = CONTAINER_OF(g, struct worker, uploads);
    struct fill process = budget_fill(&w->evictor.share);
    if (!w->windows.closed || fill_is_tight(&process))
        return;
    w->windows.closed = false;
    budget_restore(&w->evictor.share, 1);
    LIST_FOREACH (it, &g->readers) {
        struct evict_reader *r = CONTAINER_OF(it, struct evict_reader, node);
        h1_conn_reopen(footprint_of(r)->conn);
    }
}

static const struct evict_ops evict_ops = {
    .taken = taken, .give_up = give_up_reader, .restore = restore};

void footprint_open(struct worker *w, unsigned workers)
{
    uint64_t part = w->server->budget.limit / WINDOWS_PART / workers;
    uint64_t lent = part < WINDOWS_LENT ? part : WINDOWS_LENT;
    uint64_t most = lent / CROWD < WINDOW ? lent / CROWD : WINDOW;
    w->windows = (struct h1_windows){
        .least = WINDOW_LEAST,
        .most = most > WINDOW_LEAST ? (size_t)most : WINDOW_LEAST,
        .limit = lent,
    };
    evict_group_init(&w->uploads, &evict_ops, w->server->config->timeouts.stall_ms);
    evictor_watch(&w->evictor, &w->uploads);
}

void footprint_close(struct worker *w)
{
    if (w->windows.closed)
        budget_restore(&w->evictor.share, 1);
    w->windows.closed = false;
    evictor_unwatch(&w->uploads);
}

void footprint_init(struct footprint *f, struct worker *w, struct h1_conn *conn,
                    void (*give_up)(struct footprint *f, uint64_t stalled_ms))
{
    *f = (struct footprint){.worker = w, .conn = conn, .give_up = give_up};
}

/* Returns whether the budget is spent, also by what this thread has not reported yet. */
static bool is_spent(const struct budget_share *s)
{
    struct fill process = budget_fill(s);
    process.used += s->held - s->told;
    return fill_is_spent(&process);
}

static void close_windows(struct worker *w)
{
    if (w->windows.closed)
        return;
    w->windows.closed = true;
    budget_withhold(&w->evictor.share, 1);
}

void footprint_set(struct footprint *f, uint64_t bytes)
{
    struct worker *w = f->worker;
    struct budget_share *share = &w->evictor.share;
    uint64_t small = bytes < FOOTPRINT_FREE ? bytes : FOOTPRINT_FREE;
    uint64_t more = bytes - small, held = f->reader.held, now = loop_now_us(w->loop);
    budget_add_fixed(share, (int64_t)(small - f->small));
    budget_add(share, (int64_t)(more - held));
    f->small = small;
    if (more > held)
        evict_reader_hold(&w->uploads, &f->reader, more - held, now);
    else if (more < held)
        evict_reader_release(&f->reader, held - more);
    if (more > held && share->held > share->told + UNTOLD_MAX)
        budget_tell_now(share);
    if (more < held)
        f->reader.moved_us = now;
    else if (more > held && is_spent(share))
        close_windows(w);
    evictor_changed(&w->evictor);
    if (CHECKING)
        CHECK_THAT(list_linked(&f->reader.node) == (f->reader.held > 0));
}

bool footprint_refuses(const struct footprint *f)
{
    return h1_conn_head_bytes(f->conn) > FOOTPRINT_FREE && is_spent(&f->worker->evictor.share);
}

bool footprint_admits(const struct worker *w, size_t head_bytes)
{
    bool large = head_bytes > FOOTPRINT_FREE;
    return !(large && is_spent(&w->evictor.share)) &&
           budget_alarm(&w->server->budget) != BUDGET_REFUSES;
}

bool footprint_lets_in(const struct footprint *f)
{
    return !footprint_refuses(f) && budget_alarm(&f->worker->server->budget) != BUDGET_REFUSES;
}
