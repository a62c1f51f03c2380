/* SPDX-License-Identifier: MIT */
/* session_check.c - checks the invariants of a session and of its streams (check.h).
 *
 * A session with up to 32 streams (FEW) is checked completely after each of its turns. In a session
 * with more streams, the streams are checked only in some turns, so that the cost of a turn stays
 * the same. */
#include "h2mux/base/check.h"
#include "h2mux/h2/session_int.h"

enum { FEW = 32 };

/* Sums over the streams of a session. */
struct sums {
    uint64_t held, still_held, granted, promised;
    uint32_t requests, bodies, uploads, still_bodies, backlogs, streams, frozen;
    uint32_t askers, movers; /* parties, and streams without one */
    uint64_t windows;        /* of those that move */
};

static void add(struct sums *sum, const struct h2_stream *st)
{
    sum->streams++;
    sum->held += st->reader.held;
    sum->still_held += st->flow.still;
    sum->granted += st->flow.granted;
    sum->promised += st->flow.promised;
    sum->still_bodies += st->flow.still > 0;
    sum->requests += st->flow.request_counted;
    sum->bodies += st->flow.body_counted;
    sum->uploads += st->flow.body_counted && !st->connect;
    sum->backlogs += st->flow.backlog;
    sum->frozen += list_linked(&st->reset.frozen);
    sum->askers += !st->party && h2_stream_asks(st);
    sum->movers += !st->party && h2_stream_moves(st);
    sum->windows += h2_stream_moves(st) ? st->flow.window.size : 0;
}

static void check_flow(const struct stream_flow *f, const struct sums *sum)
{
    CHECK_THAT(f->fill.used == sum->held);
    CHECK_THAT(f->requests == sum->requests);
    CHECK_THAT(f->bodies == sum->bodies);
    CHECK_THAT(f->uploads == sum->uploads);
    CHECK_THAT(f->still_bodies == sum->still_bodies);
    CHECK_THAT(f->still_held == sum->still_held);
    CHECK_THAT(f->granted == sum->granted);
    CHECK_THAT(f->promised == sum->promised);
    CHECK_THAT(f->backlogs == sum->backlogs);
    CHECK_THAT(!f->share || f->share->promised >= f->promised);
    CHECK_THAT(evict_group_check(&f->readers) == sum->held);
    CHECK_THAT(!f->share || f->share == &f->evictor->share);
    CHECK_THAT(!f->share || f->share->held >= f->fill.used);
    CHECK_THAT(!f->share || f->share->withheld >= f->withheld);
}

/* Adds the party @value to those that ask and that move. */
static void check_party(struct slice key, void *value, void *user)
{
    const struct stream_party *p = value;
    struct sums *sum = user;
    CHECK_THAT(p->streams > 0 && p->asking <= p->streams && p->moving <= p->streams);
    CHECK_THAT(key.len == sizeof p->leader);
    sum->askers += p->asking > 0;
    sum->movers += p->moving > 0;
}

static void check_parties(const struct stream_host *h, struct sums *sum)
{
    map_each(&h->parties, check_party, sum);
    CHECK_THAT(h->flow.askers == sum->askers);
    CHECK_THAT(h->flow.movers == sum->movers);
    CHECK_THAT(h->flow.windows == sum->windows);
}

static void check_host(const struct stream_host *h)
{
    struct sums sum = {0};
    LIST_FOREACH (it, &h->streams) {
        const struct h2_stream *st = CONTAINER_OF(it, struct h2_stream, node);
        CHECK_THAT(st->host == h);
        h2_stream_check(st);
        add(&sum, st);
    }
    CHECK_THAT(h->open == sum.streams);
    CHECK_THAT(list_count(&h->resets.frozen) == sum.frozen);
    check_flow(&h->flow, &sum);
    check_parties(h, &sum);
    schedule_check(&h->schedule);
}

static void check_over(const struct h2_session *s)
{
    CHECK_THAT(!s->sock);
    CHECK_THAT(s->host.open == 0);
    CHECK_THAT(s->host.parties.count == 0);
    CHECK_THAT(s->host.flow.withheld == 0);
    CHECK_THAT(!list_linked(&s->host.flow.readers.node));
    CHECK_THAT(!list_linked(&s->host.frame.node));
    CHECK_THAT(!list_linked(&s->closing.task.node));
    CHECK_THAT(!wheel_timer_armed(&s->keepalive.timer));
    CHECK_THAT(!timer_armed(&s->keepalive.first));
    CHECK_THAT(!timer_armed(&s->tx.opens));
    CHECK_THAT(!list_linked(&s->tx.goes_on.node));
}

static void check_alive(const struct h2_session *s)
{
    CHECK_THAT(s->sock);
    CHECK_THAT(!s->host.flow.evictor || list_linked(&s->host.flow.readers.node));
    CHECK_THAT(s->keepalive.ping_deadline_us == 0 || s->keepalive.ping_sent_us != 0);
    CHECK_THAT(!s->goaway.farewell.ptr || s->goaway.sent);
    CHECK_THAT(!s->closing.reason || list_linked(&s->closing.task.node));
}

void h2_session_check(const struct h2_session *s)
{
    loop_check_thread(s->host.loop);
    CHECK_THAT(s->closing.in_library >= 0);
    CHECK_THAT(!s->tx.out || s->closing.in_library > 0);
    if (s->host.over)
        check_over(s);
    else
        check_alive(s);
    if (s->host.open <= FEW || loop_turns(s->host.loop) % (s->host.open / FEW) == 0)
        check_host(&s->host);
}
