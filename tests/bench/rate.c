/* SPDX-License-Identifier: MIT */
/* rate.c - the mode `rate`: sends requests on a constant schedule over a fixed set of keep-alive
 * connections.
 *
 * Request n is due at start + n / rate. Any idle viewer sends it; if none is idle it waits, and its
 * latency counts from the time when it was due. A broken connection is an error and is dialled
 * again. */
#include <stdio.h>
#include <stdlib.h>

#include "h2mux/base/clock.h"
#include "h2mux/base/list.h"
#include "tests/bench/histogram.h"
#include "tests/bench/load.h"
#include "tests/bench/schedule.h"
#include "tests/bench/viewer.h"

enum { ERRORS_MAX = 1000 }; /* something is down: the run ends */

struct asker {
    struct viewer viewer;
    struct list_node idle; /* linked if the viewer can send a request */
    uint64_t due_us;       /* of the current request; 0: none */
    struct rate *rate;     /* borrowed: outlives it */
    size_t number;
    uint64_t asked;
};

struct rate {
    struct load *load;
    struct asker *askers;
    struct list_node idle;
    struct schedule schedule;
    struct histogram latency;
    uint64_t ready, sent, ok, failed, broken; /* broken: connections that could not be dialled */
    bool over;
};

static const struct viewer_ops asker_ops;

static void end_when_answered(struct rate *r)
{
    if ((r->over && r->ok + r->failed >= r->sent) || r->failed + r->broken > ERRORS_MAX)
        load_stop(r->load);
}

static bool fire(void *user, uint64_t due_us)
{
    struct rate *r = user;
    struct list_node *node = list_pop(&r->idle);
    if (!node)
        return false;
    struct asker *a = CONTAINER_OF(node, struct asker, idle);
    a->due_us = due_us;
    uint64_t number = r->load->every ? load_turn(r->load, a->number, a->asked++) : r->sent;
    r->sent++;
    load_ask(r->load, &a->viewer, number, 0, "");
    return true;
}

static void on_over(void *user)
{
    struct rate *r = user;
    r->over = true;
    end_when_answered(r);
}

static void rest(struct asker *a)
{
    a->due_us = 0;
    list_push(&a->rate->idle, &a->idle);
    schedule_resume(&a->rate->schedule);
}

static void on_ready(struct viewer *v)
{
    struct asker *a = CONTAINER_OF(v, struct asker, viewer);
    struct rate *r = a->rate;
    list_push(&r->idle, &a->idle);
    if (++r->ready == r->load->connections)
        schedule_start(&r->schedule, r->load->base, (double)r->load->rate, load_seconds(r->load));
    else
        schedule_resume(&r->schedule);
}

static void on_answer(struct viewer *v)
{
    struct asker *a = CONTAINER_OF(v, struct asker, viewer);
    struct rate *r = a->rate;
    if (v->status == 200) {
        r->ok++;
        histogram_add(&r->latency, clock_now_us() - a->due_us);
    } else {
        r->failed++;
    }
    rest(a);
    end_when_answered(r);
}

static void dial(struct asker *a)
{
    if (viewer_dial(&a->viewer, a->rate->load->base, &asker_ops, (uint16_t)a->rate->load->port,
                    a->number) < 0) {
        a->rate->broken = ERRORS_MAX + 1;
        load_stop(a->rate->load);
    }
}

/* Dials again. A connection that breaks while it is idle is no error. */
static void on_broken(struct viewer *v, const char *why)
{
    struct asker *a = CONTAINER_OF(v, struct asker, viewer);
    struct rate *r = a->rate;
    if (a->due_us || v->state == VIEWER_DIALLING)
        fprintf(stderr, "load: a request failed: %s\n", why);
    r->failed += a->due_us != 0;
    r->broken += v->state == VIEWER_DIALLING;
    a->due_us = 0;
    list_remove(&a->idle);
    end_when_answered(r);
    dial(a);
}

static const struct viewer_ops asker_ops = {
    .on_ready = on_ready, .on_answer = on_answer, .on_broken = on_broken};

static void print(const struct rate *r)
{
    printf("{\"rate\": %llu, \"sent\": %llu, \"ok\": %llu, \"errors\": %llu, \"unsent\": %llu, ",
           (unsigned long long)r->load->rate, (unsigned long long)r->sent,
           (unsigned long long)r->ok, (unsigned long long)(r->sent - r->ok + r->broken),
           (unsigned long long)(r->schedule.count - r->schedule.next));
    histogram_print(&r->latency, stdout);
    printf("}\n");
}

/* Ends the run SCHEDULE_GRACE_US after the schedule. Requests without an answer are errors then. */
static void arm_end(struct rate *r)
{
    struct timeval after = {
        .tv_sec = (time_t)((r->load->milliseconds * 1000 + 2 * SCHEDULE_GRACE_US) / 1000000)};
    event_base_loopexit(r->load->base, &after);
}

int rate_run(struct load *l)
{
    struct rate r = {.load = l, .schedule = {.fire = fire, .over = on_over, .user = &r}};
    r.askers = xcalloc(l->connections, sizeof *r.askers);
    list_init(&r.idle);
    for (size_t i = 0; i < l->connections; i++) {
        r.askers[i] = (struct asker){.rate = &r, .number = i};
        dial(&r.askers[i]);
    }
    arm_end(&r);
    event_base_dispatch(l->base);
    print(&r);
    schedule_stop(&r.schedule);
    for (size_t i = 0; i < l->connections; i++)
        viewer_close(&r.askers[i].viewer);
    free(r.askers);
    return 0;
}
