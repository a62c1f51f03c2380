/* SPDX-License-Identifier: MIT */
/* quota.c - keeps a table of buckets for register calls and one for bad tickets; see quota.h. The
 * limits are per minute, and the rates of buckets are per second. So a register call or a bad
 * ticket costs 60 tokens.
 *
 * Invariant: the table for register calls exists unless register calls have no limit. */
#include "src/limits/quota.h"

#include <pthread.h>
#include <stdlib.h>

#include "h2mux/base/check.h"
#include "src/limits/address_buckets.h"

enum { COST = 60, BAD_TICKETS = 5, MICRO = 1000000 };

struct quota {
    pthread_mutex_t lock;
    uint64_t registers_a_minute;
    struct address_buckets *register_buckets;   /* owned; NULL: no limit */
    struct address_buckets *bad_ticket_buckets; /* owned */
};

struct quota *quota_new(uint64_t seed, uint64_t registers)
{
    struct quota *q = xcalloc(1, sizeof *q);
    pthread_mutex_init(&q->lock, NULL);
    q->registers_a_minute = registers;
    if (registers > 0)
        q->register_buckets = address_buckets_new(seed, 2 * registers * COST, registers);
    q->bad_ticket_buckets = address_buckets_new(seed, (uint64_t)BAD_TICKETS * COST, BAD_TICKETS);
    return q;
}

static void quota_check(const struct quota *q)
{
    CHECK_THAT(!q->register_buckets == (q->registers_a_minute == 0));
    CHECK_THAT(q->bad_ticket_buckets);
}

void quota_free(struct quota *q)
{
    if (!q)
        return;
    address_buckets_free(q->register_buckets);
    address_buckets_free(q->bad_ticket_buckets);
    pthread_mutex_destroy(&q->lock);
    free(q);
}

/* Returns the number of seconds after which a bucket that holds @left millionths of a token can pay
 * for one call. Rounds up, so that a client which comes back at that time is not refused again. */
static unsigned seconds_until(uint64_t left, uint64_t rate)
{
    CHECK_THAT(rate > 0 && left < (uint64_t)COST * MICRO);
    uint64_t missing = (uint64_t)COST * MICRO - left;
    return (unsigned)((missing + rate * MICRO - 1) / (rate * MICRO));
}

/* Takes the price of one call from the bucket of @v in @b. Returns 0 when it was paid, or when no
 * limit applies. Otherwise returns the number of seconds after which the bucket can pay. */
static unsigned take(struct quota *q, struct address_buckets *b, uint64_t rate,
                     const struct viewer *v, uint64_t now_us)
{
    struct address of;
    unsigned wait_s = 0;
    if (CHECKING)
        quota_check(q);
    if (!b || !address_of_viewer(v, &of))
        return 0;
    pthread_mutex_lock(&q->lock);
    if (!address_buckets_take(b, &of, COST, now_us))
        wait_s = seconds_until(address_buckets_left(b, &of, now_us), rate);
    pthread_mutex_unlock(&q->lock);
    return wait_s;
}

unsigned quota_take_register(struct quota *q, const struct viewer *v, uint64_t now_us)
{
    return take(q, q->register_buckets, q->registers_a_minute, v, now_us);
}

unsigned quota_take_bad_ticket(struct quota *q, const struct viewer *v, uint64_t now_us)
{
    return take(q, q->bad_ticket_buckets, BAD_TICKETS, v, now_us);
}
