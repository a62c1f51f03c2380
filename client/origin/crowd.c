/* SPDX-License-Identifier: MIT */
/* crowd.c - see crowd.h. */
#include "client/origin/crowd.h"

enum {
    MS = 1000,
    PATIENCE_US = 100 * MS,
    PATIENCE_MOST_US = 800 * MS,
    HELPED_US = 100 * MS,  /* an answer came because of a close if it came within this time */
    LONGER_US = 150 * MS,  /* what the second try waits longer: more than HELPED_US */
    PAUSE_US = 10000 * MS, /* behind a close in vain, if the origin serves several */
    KNOWN_US = 60000 * MS, /* it may be another program by then */
    SURE = 2
};

void crowd_init(struct crowd *c)
{
    *c = (struct crowd){.served = 1, .patience_us = PATIENCE_US};
}

static void forget_old(struct crowd *c, uint64_t now_us)
{
    if (c->served > 1 && now_us - c->served_us > KNOWN_US)
        c->served = 1;
}

/* Judges the last close once its time is over: it was in vain. */
static void judge(struct crowd *c, uint64_t now_us)
{
    if (c->closed_us == 0 || now_us - c->closed_us <= HELPED_US)
        return;
    c->closed_us = 0;
    c->helped = 0;
    if (c->few)
        return;
    if (c->patience_us < PATIENCE_MOST_US)
        c->patience_us *= 2;
    if (c->served > 1)
        c->pause_us = now_us + PAUSE_US;
}

static uint64_t later(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

int64_t crowd_due_ms(struct crowd *c, const struct crowd_view *v)
{
    forget_old(c, v->now_us);
    judge(c, v->now_us);
    if (v->waiting == 0 || v->idle == 0 || v->held < c->served)
        return CROWD_NEVER;
    uint64_t due_us = later(v->asked_us + (c->few ? PATIENCE_US : c->patience_us), c->pause_us);
    if (c->helped > 0 && !c->few) {
        due_us = later(due_us, v->asked_us + c->patience_us + LONGER_US);
        due_us = later(due_us, v->idle_us + LONGER_US);
    }
    return due_us <= v->now_us ? 0 : (int64_t)((due_us - v->now_us + MS - 1) / MS);
}

size_t crowd_close(struct crowd *c, const struct crowd_view *v)
{
    c->closed_us = v->now_us;
    return c->served > 1 && !c->few ? 1 : v->idle;
}

/* Returns how many connections the origin serves, as this answer shows. On a server with one thread
 * the first to come is the first to be served, so one that waits for much longer is being worked
 * on. */
static size_t side_by_side(const struct crowd_view *v, uint64_t asked_us)
{
    bool older = v->waiting > 0 && v->asked_us + PATIENCE_US < asked_us;
    return 1 + v->held + (older ? 1 : 0);
}

void crowd_answered(struct crowd *c, const struct crowd_view *v, uint64_t asked_us)
{
    size_t served = side_by_side(v, asked_us);
    bool helps = c->closed_us != 0 && asked_us + PATIENCE_US <= c->closed_us &&
                 v->now_us - c->closed_us <= HELPED_US;
    if (served > c->served) {
        crowd_init(c);
        c->served = served;
    } else if (helps) {
        c->closed_us = 0;
        c->few = ++c->helped >= SURE || c->few;
    }
    if (served >= c->served)
        c->served_us = v->now_us;
}

bool crowd_keeps(const struct crowd *c, const struct crowd_view *v)
{
    return !c->few || (v->waiting == 0 && v->idle == 0);
}
