/* SPDX-License-Identifier: MIT */
/* stream_line.c - tells what the DATA of streams shows of their line (line.h), and what follows for
 * the windows that bodies begin with. docs/flow-control.md#what-a-line-teaches
 *
 * The sign that the sender has more is a full frame. Our own sender makes full frames of what waits
 * for the line, and a shorter one of what is left or of what its window allows. A frame that is
 * full and the last of its window shows nothing; so the window is looked at, too. */
#include "h2mux/h2/stream_int.h"

enum {
    FULL_FRAME =
        16000 /* bytes; SCHEDULE_FRAME is more, and so is what a leg hands on at least in a crowd */
};

void h2_stream_note_grant(struct h2_stream *st, size_t bytes)
{
    uint64_t now = loop_now_us(st->host->loop);
    if (now - st->flow.late.us >= st->host->flow.rtt_least_us) {
        st->flow.late.us = now;
        st->flow.late.bytes = 0;
    }
    st->flow.late.bytes += (uint32_t)bytes;
}

/* Returns whether the sender of @st had window left when it sent what has come now: what was
 * granted within a round trip had not reached it. */
static bool had_window(const struct h2_stream *st)
{
    const struct stream_host *h = st->host;
    bool late = h->last_rx_us - st->flow.late.us < h->flow.rtt_least_us;
    uint64_t granted = (uint64_t)st->flow.window.size + st->flow.owed;
    uint64_t used = st->reader.held + st->flow.kept + (late ? st->flow.late.bytes : 0);
    return h->flow.withheld == 0 && granted >= used + SCHEDULE_FRAME;
}

static void set_backlog(struct h2_stream *st, bool backlog)
{
    st->host->flow.backlogs += (uint32_t)backlog - (uint32_t)st->flow.backlog;
    st->flow.backlog = backlog;
}

void h2_stream_forget_backlog(struct h2_stream *st)
{
    set_backlog(st, false);
}

void h2_stream_arrived(struct h2_stream *st, size_t bytes, bool end)
{
    struct stream_host *h = st->host;
    struct stream_flow *f = &h->flow;
    bool full = bytes >= FULL_FRAME;
    if (f->rtt_least_us <= WINDOW_NEAR_US)
        return;
    set_backlog(st, full && !end && had_window(st));
    struct line_frame frame = {.bytes = bytes, .full = full, .more = f->backlogs > 0};
    if (line_arrived(&f->line, &frame, h->last_rx_us, f->rtt_least_us))
        h->ops->on_learned(h);
}

uint64_t stream_host_learned(const struct stream_host *h)
{
    return line_rate(&h->flow.line.learned, loop_now_us(h->loop));
}

uint64_t stream_host_rate(const struct stream_host *h)
{
    uint64_t learned = stream_host_learned(h);
    return learned > 0 ? learned : h->flow.line_rate;
}

uint32_t stream_host_line(const struct stream_host *h, uint64_t rate)
{
    uint64_t least = h->flow.rtt_least_us;
    return window_line(least > 0 ? least : h->flow.rtt_begin_us, rate);
}
