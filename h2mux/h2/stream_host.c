/* SPDX-License-Identifier: MIT */
/* stream_host.c - sets up the data that the streams of a session share. See stream_host.h. */
#include "h2mux/h2/stream_host.h"

#include "h2mux/base/pool.h"

static void flow_init(struct stream_flow *f, const struct h2_options *o,
                      const struct evict_ops *evict)
{
    f->fill.limit = o->buffer_limit;
    f->initial = f->first = WINDOW_INITIAL;
    f->line_rate = o->line_rate;
    f->line.learned = o->learned;
    f->rtt_begin_us = o->rtt_us;
    f->evictor = o->evictor;
    f->share = f->evictor ? &f->evictor->share : NULL;
    evict_group_init(&f->readers, evict, o->stall_ms);
    if (f->evictor && o->stranger)
        evictor_watch(f->evictor, &f->readers);
    else if (f->evictor)
        evictor_join(f->evictor, &f->readers);
}

void stream_host_init(struct stream_host *h, struct loop *l, enum h2_role role,
                      const struct h2_options *o, const struct stream_host_ops *ops,
                      const struct evict_ops *evict, const struct evict_ops *tails)
{
    uint64_t now = loop_now_us(l);
    *h = (struct stream_host){
        .ops = ops,
        .loop = l,
        .role = role,
        .stranger = o->stranger,
        .party_field = o->party_field,
        .last_rx_us = now,
    };
    list_init(&h->streams);
    schedule_init(&h->schedule, o->stranger);
    map_init(&h->parties);
    flow_init(&h->flow, o, evict);
    h->tail_us = o->tail_ms * 1000;
    evict_group_init(&h->tails, tails, o->stall_ms);
    if (o->evictor && o->stranger)
        evictor_watch(o->evictor, &h->tails);
    list_init(&h->resets.frozen);
    h->resets.paced = o->reset_rate != 0;
    bucket_init(&h->resets.bucket, o->reset_burst, o->reset_rate, now);
    stream_host_fit_line(h);
    h->flow.initial = h->flow.first; /* our first SETTINGS say so */
}

void stream_host_begin_head(struct stream_host *h)
{
    if (h->head)
        message_deinit(h->head);
    else
        h->head = pool_take(sizeof *h->head);
    message_init(h->head);
}

static void give_head_back(struct stream_host *h)
{
    pool_give(h->head, sizeof *h->head);
    h->head = NULL;
}

struct message stream_host_take_head(struct stream_host *h)
{
    struct message m = *h->head;
    give_head_back(h);
    return m;
}

void stream_host_deinit(struct stream_host *h)
{
    if (h->head)
        message_deinit(h->head);
    give_head_back(h);
    schedule_deinit(&h->schedule);
}

void stream_host_leave_budget(struct stream_host *h)
{
    struct stream_flow *f = &h->flow;
    if (!f->evictor)
        return;
    if (h->stranger) {
        evictor_unwatch(&f->readers);
        evictor_unwatch(&h->tails);
    } else {
        evictor_leave(f->evictor, &f->readers);
    }
    budget_restore(f->share, f->withheld);
    f->withheld = 0;
    budget_tell(f->share);
}
