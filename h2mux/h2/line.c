/* SPDX-License-Identifier: MIT */
/* line.c - takes samples of arriving bytes, and keeps the largest rate. See line.h.
 *
 * Bytes that come at the same time count as one arrival, since they were read together. A part
 * begins with an arrival that does not count, because the time for its bytes is not known, and ends
 * with one that does. Each part is the second half of one sample and the first of the next. */
#include "h2mux/h2/line.h"

enum {
    FRAME = 16 * 1024,       /* bytes of a full frame, about */
    PART_BYTES = 8 * FRAME,  /* of a part, at least: TCP begins with a frame or two a round trip */
    PAUSE_PARTS = 4,         /* a pause is long from this part of a round trip on, */
    PAUSE_BYTES = 5 * FRAME, /* if more could have come in it than one read takes */
    RUN_US = 250000,         /* a pause of this length, or of two round trips, ends a run */
    ROUND_TRIPS = 2,
    AGAIN_US = 1000000
};

static const uint64_t LINE_FORGET_US = 600000000;

uint64_t line_rate(const struct line_rate *r, uint64_t now_us)
{
    return now_us < r->us + LINE_FORGET_US ? r->rate : 0;
}

/* Returns whether the line was the limit of a sample, as far as its two parts can show. */
static bool was_limit(const struct line_part *a, const struct line_part *b)
{
    bool busy = 4 * (a->idle_us + b->idle_us) <= a->us + b->us;
    bool steady = 4 * b->bytes * a->us <= 5 * a->bytes * b->us;
    return busy && steady;
}

/* Judges the sample of the two parts, whose end was at @now_us. The line carries at least what has
 * come, whatever the limit was; so a rate that is too small does not stay. */
static bool judge(struct line_rate *learned, const struct line_part *a, const struct line_part *b,
                  uint64_t now_us)
{
    uint64_t known = line_rate(learned, now_us);
    uint64_t rate = (a->bytes + b->bytes) * 1000000 / (a->us + b->us);
    if (known == 0 ? a->limit && b->limit : rate > known) {
        *learned = (struct line_rate){.rate = rate, .us = now_us};
        return true;
    }
    bool shown = known > 0 && b->limit && 8 * rate >= 7 * known;
    if (!shown || now_us - learned->us < AGAIN_US)
        return false;
    learned->us = now_us;
    return true;
}

/* Ends the part with the last arrival, if it is long enough. */
static bool end_part(struct line *l, uint64_t rtt_us)
{
    uint64_t us = l->last_us - l->now.begun_us;
    if (us < rtt_us || us == 0 || l->now.bytes < PART_BYTES)
        return false;
    l->now.us = us;
    l->now.limit = l->parts > 0 && was_limit(&l->before, &l->now);
    bool learned = l->parts == 2 && judge(&l->learned, &l->before, &l->now, l->last_us);
    l->parts += l->parts < 2;
    l->before = l->now;
    l->now = (struct line_part){.begun_us = l->last_us};
    return learned;
}

/* Returns whether a pause of @us is longer than a line needs that is busy. At first the rate of the
 * run is not known. */
static bool is_long(const struct line *l, uint64_t us, uint64_t rtt_us)
{
    const struct line_part *from = l->parts > 0 ? &l->before : &l->now;
    uint64_t bytes = l->now.bytes + l->before.bytes, in = l->last_us - from->begun_us;
    return us > rtt_us / PAUSE_PARTS && bytes >= PART_BYTES && us * bytes > in * PAUSE_BYTES;
}

static void begin_run(struct line *l, uint64_t now_us)
{
    l->before = (struct line_part){0};
    l->now = (struct line_part){.begun_us = now_us};
    l->parts = 0;
}

bool line_arrived(struct line *l, const struct line_frame *f, uint64_t now_us, uint64_t rtt_us)
{
    uint64_t pause = now_us - l->last_us;
    bool over = pause > ROUND_TRIPS * rtt_us && pause > RUN_US, learned = false;
    if (l->now.begun_us != 0 && pause > 0)
        learned = end_part(l, rtt_us);
    if (l->now.begun_us == 0 || over)
        begin_run(l, now_us);
    else if (pause > 0 && (!l->more || !f->full || is_long(l, pause, rtt_us)))
        l->now.idle_us += pause;
    if (now_us > l->now.begun_us)
        l->now.bytes += f->bytes;
    l->last_us = now_us;
    l->more = f->more;
    if (!f->more && l->now.begun_us != 0)
        learned |= end_part(l, rtt_us);
    return learned;
}
