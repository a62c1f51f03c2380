/* SPDX-License-Identifier: MIT */
/* stream_party.c - puts streams of one viewer together, so that a link is shared among viewers
 * before it is shared among their streams: in the order of sending (schedule.h), and in the size of
 * windows (stream_window.c). docs/flow-control.md#viewers
 *
 * A stream without a party counts as one by itself. So a party exists only once a viewer has a
 * second stream beside its first. */
#include "h2mux/h2/stream_int.h"

#include <stdlib.h>

#include "h2mux/base/check.h"

static struct slice key_of(const uint32_t *leader)
{
    return slice_make((const char *)leader, sizeof *leader);
}

/* ---- counts */

/* Adds or takes away one of the streams that @own counts, of a party; and with the first or the
 * last one its party in @parties. */
static void count(uint32_t *parties, uint32_t *own, bool more)
{
    if (more)
        *parties += (*own)++ == 0;
    else
        *parties -= --*own == 0;
}

void h2_party_count_asks(struct h2_stream *st, bool more)
{
    count(&st->host->flow.askers, &st->party->asking, more);
}

void h2_party_count_moves(struct h2_stream *st, bool more)
{
    int64_t window = st->flow.window.size;
    count(&st->host->flow.movers, &st->party->moving, more);
    st->party->windows += (uint64_t)(more ? window : -window);
}

static void count_all(struct h2_stream *st, bool more)
{
    if (h2_stream_asks(st))
        h2_stream_count_asks(st, more);
    if (h2_stream_moves(st))
        h2_stream_count_moves(st, more);
}

uint32_t h2_party_alike(uint32_t parties, uint32_t own)
{
    uint64_t all = (uint64_t)parties * (own > 0 ? own : 1);
    return all < UINT32_MAX ? (uint32_t)all : UINT32_MAX;
}

uint64_t h2_stream_fair_window(const struct h2_stream *st)
{
    const struct stream_flow *f = &st->host->flow;
    const struct stream_party *p = st->party;
    bool moves = h2_stream_moves(st);
    uint32_t own = p ? p->moving : moves; /* streams of the party that move */
    uint64_t has = p ? p->windows : moves ? st->flow.window.size : 0;
    uint32_t others = f->movers - (own > 0), sharing = own + !moves;
    if (others == 0 || sharing == 0)
        return 0;
    return (f->windows - has) / others / sharing;
}

/* ---- members */

static struct stream_party *party_new(struct stream_host *h, uint32_t leader)
{
    struct stream_party *p = xcalloc(1, sizeof *p);
    p->leader = leader;
    schedule_group_init(&p->turns);
    map_set(&h->parties, key_of(&p->leader), p);
    return p;
}

static void enter(struct h2_stream *st, struct stream_party *p)
{
    count_all(st, false);
    st->party = p;
    p->streams++;
    count_all(st, true);
    schedule_join(&st->schedule, &p->turns);
}

/* Puts @st into the party whose number is @leader. The stream that has given the number may be over
 * (NULL), and be without a party. */
static void join(struct h2_stream *st, uint32_t leader, struct h2_stream *first)
{
    struct stream_party *p = map_get(&st->host->parties, key_of(&leader));
    if (!p)
        p = party_new(st->host, leader);
    if (first && !first->party)
        enter(first, p);
    enter(st, p);
}

void h2_stream_join(struct h2_stream *st, uint32_t number)
{
    if (st->party || number == 0 || number >= (uint32_t)st->id)
        return;
    struct h2_stream *first = nghttp2_session_get_stream_user_data(st->host->ng, (int32_t)number);
    join(st, number, first && first->party && first->party->leader != number ? NULL : first);
}

void h2_leg_join(struct leg *leg, struct leg *beside)
{
    if (!beside)
        return;
    struct h2_stream *st = h2_stream_of(leg), *first = h2_stream_of(beside);
    assert(st->host == first->host);
    if (!st->party && !st->reset.sent && !first->reset.sent)
        join(st, h2_leg_party(beside), first);
}

uint32_t h2_leg_party(struct leg *leg)
{
    const struct h2_stream *st = h2_stream_of(leg);
    return st->party ? st->party->leader : (uint32_t)st->id;
}

void h2_party_leave(struct h2_stream *st)
{
    struct stream_party *p = st->party;
    CHECK_THAT(!h2_stream_asks(st) && !h2_stream_moves(st) && !list_linked(&st->schedule.node));
    st->party = NULL;
    st->schedule.group = NULL;
    if (--p->streams > 0)
        return;
    schedule_group_end(&st->host->schedule, &p->turns);
    map_remove(&st->host->parties, key_of(&p->leader));
    free(p);
}
