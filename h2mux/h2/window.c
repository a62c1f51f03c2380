/* SPDX-License-Identifier: MIT */
/* window.c - counts credit in rounds of two round trips, and what earns growth. See window.h.
 *
 * Credit for a byte takes one round trip, but nghttp2 sends WINDOW_UPDATE only when half a window
 * was credited. So a sender that only its window limits uses up a window in 1 to 1.5 round trips; a
 * sender that needs more than 2 is not limited by its window. */
#include "h2mux/h2/window.h"

#include <stddef.h>

enum {
    ROUND_TRIPS = 2,
    EARN_US = 1000000,
    EARN_ROUND_TRIPS = 4,
    ASK_PARTS = 4, /* parts of a window after each of which the reader's system is asked */
    SLOW_US = 10000000
};

static void round_begin(struct window *w, uint64_t now_us)
{
    w->round_us = now_us;
    w->round_bytes = 0;
}

void window_init(struct window *w, uint32_t size)
{
    *w = (struct window){.size = size};
}

/* Begins a new round if none runs or two round trips are over. The credit that begins a round does
 * not count, because the time for its bytes is not known. */
bool window_credit(struct window *w, uint64_t bytes, uint64_t now_us, uint64_t rtt_us)
{
    w->credited += bytes;
    if (rtt_us == 0 || w->round_us == 0 || now_us - w->round_us > ROUND_TRIPS * rtt_us) {
        round_begin(w, now_us);
        return false;
    }
    w->round_bytes += bytes;
    return w->round_bytes >= w->size;
}

uint32_t window_double(const struct window *w)
{
    return w->size > WINDOW_MAX / 2 ? WINDOW_MAX : 2 * w->size;
}

void window_resize(struct window *w, uint32_t size, uint64_t now_us)
{
    w->size = size;
    round_begin(w, now_us);
}

bool window_asks(const struct window *w, bool wanted)
{
    if (!wanted)
        return w->asked == 0 && w->credited >= WINDOW_ASKS_FROM;
    return w->asked == 0 || w->credited - w->asked >= w->size / ASK_PARTS;
}

/* Returns how many bytes were acknowledged between two answers. The number of a unix socket may
 * fall. */
static uint64_t progress(uint64_t before, uint64_t taken)
{
    return taken > before ? taken - before : 0;
}

bool window_earned(struct window *w, uint64_t taken, uint64_t now_us, uint64_t rtt_us)
{
    uint64_t within = EARN_ROUND_TRIPS * rtt_us > EARN_US ? EARN_ROUND_TRIPS * rtt_us : EARN_US;
    bool counts = w->earns.us != 0 && now_us - w->earns.us <= within;
    bool earned = counts && progress(w->earns.taken, taken) >= w->size;
    w->asked = w->credited;
    if (!counts || earned) {
        w->earns.us = now_us;
        w->earns.taken = taken;
    }
    return earned;
}

bool window_slow_asks(struct window *w, bool waits, uint64_t now_us)
{
    if (!waits)
        w->waits.us = 0;
    return waits && (w->waits.us == 0 || now_us - w->waits.us >= SLOW_US);
}

bool window_slow(struct window *w, uint64_t taken, uint64_t now_us)
{
    bool slow = w->waits.us != 0 && progress(w->waits.taken, taken) < w->size;
    w->waits.us = now_us;
    w->waits.taken = taken;
    return slow;
}

enum { FIRST_MOST = 4, SECOND_MOST = 16 }; /* streams */

/* Returns the initial window (bytes) for this number of open requests. All initial windows together
 * are at most 2 MiB in the first two tiers and 4 MiB in the third; in the last tier the budget is
 * the bound. On a long line they are at most four times @first. */
static uint32_t tier(uint64_t requests, uint64_t streams, uint32_t first)
{
    if (streams <= FIRST_MOST)
        return first;
    if (streams <= SECOND_MOST && first / 4 > WINDOW_INITIAL)
        return first / 4;
    static const struct {
        uint64_t most;
        uint32_t size;
    } tiers[] = {
        {WINDOW_FEW, WINDOW_INITIAL}, {128, 16 * 1024}, {512, 8 * 1024}, {UINT64_MAX, 4 * 1024}};
    size_t at = 0;
    while (requests > tiers[at].most)
        at++;
    return tiers[at].size;
}

uint32_t window_initial(uint32_t now, uint32_t requests, uint32_t streams, uint32_t first)
{
    uint32_t size = tier(requests, streams, first);
    uint32_t relaxed = tier(2 * (uint64_t)requests, 2 * (uint64_t)streams, first);
    if (size < now)
        return size;
    return relaxed > now ? relaxed : now;
}

uint64_t window_share(uint64_t bodies, uint64_t budget)
{
    return budget / 4 / (bodies + 1);
}

uint32_t window_line(uint64_t rtt_us, uint64_t rate)
{
    const uint64_t second = 1000000, longest = 10 * second;
    uint64_t bytes = (rtt_us < longest ? rtt_us : longest) * rate / second;
    if (rtt_us <= WINDOW_NEAR_US)
        return 0;
    return bytes < WINDOW_START_MAX ? (uint32_t)bytes : WINDOW_START_MAX;
}

static uint32_t least(uint64_t a, uint64_t b)
{
    return (uint32_t)(a < b ? a : b);
}

uint32_t window_start(uint32_t learned, uint32_t line, uint64_t others, uint64_t budget)
{
    uint32_t deal = WINDOW_START_MAX;
    while (deal > WINDOW_START_MAX / (others + 1))
        deal /= 2;
    uint32_t part = (uint32_t)((uint64_t)line * deal / WINDOW_START_MAX);
    uint32_t size = least(learned, WINDOW_LEARNED_MAX);
    size = size > part ? size : part;
    size = size > WINDOW_INITIAL ? size : WINDOW_INITIAL;
    return least(least(size, deal), window_share(others, budget));
}
