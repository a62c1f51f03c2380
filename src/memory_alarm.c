/* SPDX-License-Identifier: MIT */
/* memory_alarm.c - see memory_alarm.h. Freed memory is given back to the system during an alarm,
 * since the allocator keeps it otherwise and the use would not fall. */
#include "src/memory_alarm.h"

#include <malloc.h>
#include <stdlib.h>

#include "h2mux/base/log.h"
#include "src/limits/memory.h"
#include "src/worker/commons.h"

enum { LOOK_MS = 1000, IDLE_ENDED = 256 /* idle connections that one look ends */ };

struct memory_alarm {
    struct server *server; /* borrowed */
    struct timer timer;
    uint64_t base; /* bytes that were mapped at the first look; 0: there was none */
};

static void take_back(struct server *s)
{
    if (s->descriptors)
        commons_evict(s->descriptors, IDLE_ENDED);
    malloc_trim(0);
}

/* Sets the alarm of @s by what is in use: on from 85 % of the limit, off below 75 %. While it is
 * on, memory is taken back, and from the second look on, requests are refused. */
static void judge(struct server *s, const struct fill *use)
{
    enum budget_alarm was = budget_alarm(&s->budget), is = BUDGET_CALM;
    if (memory_is_short(was != BUDGET_CALM, use))
        is = was == BUDGET_CALM ? BUDGET_SHORT : BUDGET_REFUSES;
    atomic_store_explicit(&s->budget.alarm, is, memory_order_relaxed);
    if (was == BUDGET_CALM && is != BUDGET_CALM)
        LOG(WARN, "memory_short", LOG_U("used", use->used), LOG_U("limit", use->limit));
    else if (was != BUDGET_CALM && is == BUDGET_CALM)
        LOG(INFO, "memory_suffices", LOG_U("used", use->used), LOG_U("limit", use->limit));
    if (is != BUDGET_CALM)
        take_back(s);
}

static void look(void *user)
{
    struct memory_alarm *a = user;
    timer_arm(&a->timer, LOOK_MS);
    if (a->base == 0) /* the threads have mapped their arenas by now */
        a->base = memory_mapped("");
    struct fill use = memory_use("", a->base);
    judge(a->server, &use);
}

struct memory_alarm *memory_alarm_new(struct server *s, struct loop *l)
{
    struct memory_alarm *a = xcalloc(1, sizeof *a);
    a->server = s;
    timer_init(&a->timer, l, look, a);
    timer_arm(&a->timer, LOOK_MS);
    return a;
}

void memory_alarm_free(struct memory_alarm *a)
{
    if (a)
        timer_stop(&a->timer);
    free(a);
}
