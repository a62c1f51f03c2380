/* SPDX-License-Identifier: MIT */
/* flight.c - see flight.h. */
#include "h2mux/h2/flight.h"

static uint64_t less(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t more(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* Returns the round trip of a line whose queue is as long as it may be, when @rate bytes a second
 * come. */
static uint64_t longest_us(uint64_t least_us, uint64_t rate)
{
    uint64_t frame = rate > 0 ? FLIGHT_FRAME * (uint64_t)1000000 / rate : 0;
    return least_us + more(least_us / FLIGHT_QUEUE_PARTS, FLIGHT_QUEUE_US) + less(frame, least_us);
}

bool flight_asks(const struct flight *f, uint64_t now_us)
{
    return f->most > 0 || now_us >= f->next_us;
}

static void lift(struct flight *f, uint64_t rest_us)
{
    f->most = 0;
    f->vain = 0;
    f->rest_us = rest_us;
}

/* Returns the bound that keeps the queue short, if @rate bytes a second are acknowledged. */
static uint64_t bound(uint64_t rate, uint64_t least_us)
{
    return more(rate * longest_us(least_us, rate) / 1000000, FLIGHT_LEAST);
}

/* Looks at what the bound has done. Returns the round trips after which to look again: what is
 * acknowledged in the first one was sent before. */
static unsigned judge(struct flight *f, const struct flight_facts *k, uint64_t now_us)
{
    uint64_t rate = less(k->bytes, f->most) * 1000000 / k->rtt_us;
    uint64_t longest = longest_us(k->least_us, rate);
    bool queue = k->rtt_us > longest, foreign = k->rtt_us > 2 * longest - k->least_us;
    bool waited = f->waited && k->bytes >= f->most / 4 * 3; /* and not a body that begins */
    f->waited = false;
    f->vain = foreign && waited ? f->vain + 1 : 0;
    if (f->vain >= FLIGHT_VAIN_MAX)
        lift(f, now_us + FLIGHT_REST_US);
    else if (queue && waited)
        f->most = more(bound(rate, k->least_us), f->most / 4 * 3);
    else if (waited)
        f->most = f->most * longest / k->rtt_us;
    else if (now_us - f->used_us > FLIGHT_REST_US)
        lift(f, 0);
    return queue && waited ? 2 : 1;
}

/* Measures the rate at which bytes are acknowledged. A sample is shorter than a round trip, because
 * TCP begins with bursts and pauses: the line carries a burst as fast as it can. */
static void measure(struct flight *f, const struct flight_facts *k, uint64_t now_us)
{
    uint64_t us = now_us - f->rate.since_us;
    if (us == 0 || us < k->rtt_us / FLIGHT_RATE_PARTS)
        return;
    uint64_t rate = us < k->rtt_us ? (k->acked - f->rate.acked) * 1000000 / us : 0;
    f->rate.most = more(rate, f->rate.most - f->rate.most / FLIGHT_LOOK_PARTS);
    f->rate.since_us = now_us;
    f->rate.acked = k->acked;
}

/* Begins to bound if there is a queue. While TCP begins, what is under way grows, so that it shows
 * too much. */
static void begin(struct flight *f, const struct flight_facts *k, uint64_t now_us)
{
    measure(f, k, now_us);
    uint64_t rate = less(k->bytes * 1000000 / k->rtt_us, f->rate.most);
    if (now_us < f->rest_us || k->bytes <= FLIGHT_LEAST || k->least_us <= FLIGHT_NEAR_US ||
        k->rtt_us <= longest_us(k->least_us, rate))
        return;
    f->most = bound(rate, k->least_us);
    f->used_us = now_us;
    f->waited = false;
}

static void look(struct flight *f, const struct flight_facts *k, uint64_t now_us)
{
    unsigned trips = 2;
    if (f->most > 0)
        trips = judge(f, k, now_us);
    else
        begin(f, k, now_us);
    f->next_us = now_us + (f->most > 0 ? trips * k->rtt_us : k->rtt_us / FLIGHT_LOOK_PARTS);
}

/* Returns how many bytes may go at once. A body that begins with all that may be under way would
 * overflow the queue before the line. */
static uint64_t burst(struct flight *f, const struct flight_facts *k, uint64_t rate,
                      uint64_t now_us)
{
    uint64_t total = k->acked + k->bytes, sent = total - f->burst.total;
    uint64_t us = less(now_us - f->burst.us, k->rtt_us);
    f->burst.left -= less(sent, f->burst.left);
    uint64_t most = more(rate * FLIGHT_QUEUE_US / 1000000, FLIGHT_BURST);
    f->burst.left = less(f->burst.left + 2 * rate * us / 1000000, most);
    f->burst.us = now_us;
    f->burst.total = total;
    return f->burst.left;
}

uint64_t flight_room(struct flight *f, const struct flight_facts *k, uint64_t now_us)
{
    if (now_us >= f->next_us)
        look(f, k, now_us);
    if (f->most == 0)
        return UINT64_MAX;
    uint64_t rate = more(f->most * 1000000 / more(k->rtt_us, k->least_us), 1);
    uint64_t over = k->bytes > f->most ? k->bytes - f->most : 0;
    uint64_t room = over > 0 ? 0 : f->most - k->bytes;
    uint64_t at_once = burst(f, k, rate, now_us);
    f->full = room <= at_once;
    f->drain_us = (over + FLIGHT_FRAME) * 1000000 / rate;
    room = less(room, at_once);
    return room - room % FLIGHT_FRAME;
}

uint64_t flight_wait(struct flight *f, uint64_t now_us)
{
    f->waited |= f->full;
    f->used_us = now_us;
    return less(f->drain_us, 100000);
}
