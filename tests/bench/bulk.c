/* SPDX-License-Identifier: MIT */
/* bulk.c - the modes `bulk` and `stall` of the load generator. `bulk` transfers bodies down or up
 * on parallel connections and prints what each connection got. `stall` opens connections that ask
 * for a body and then stop reading.
 *
 * Bytes are counted between the end of the warm-up and the end of the run, so that neither full
 * socket buffers nor a slow start distort the rate. */
#include <stdio.h>
#include <stdlib.h>

#include "h2mux/base/clock.h"
#include "tests/bench/control.h"
#include "tests/bench/load.h"
#include "tests/bench/viewer.h"

enum { BLOCK = 256 * 1024, STALL_WINDOW = 16384 };

struct carrier {
    struct viewer viewer;
    struct bulk *bulk; /* borrowed: outlives it */
    size_t number;
    uint64_t counted;     /* bytes since the end of the warm-up */
    uint64_t to_send;     /* bytes left of the current upload */
    uint64_t transfers;   /* whole transfers */
    uint64_t finished_us; /* the end of the last of --transfers */
    bool asked;           /* a transfer is running */
};

struct bulk {
    struct load *load;
    struct carrier *carriers;
    struct event warm, end;
    uint64_t warm_us, total, finished, errors, opened;
    bool counting;
};

static const struct viewer_ops carrier_ops;
static const char block[BLOCK]; /* content of uploads */

static struct carrier *of(struct viewer *v)
{
    return CONTAINER_OF(v, struct carrier, viewer);
}

static void count(struct carrier *c, size_t bytes)
{
    c->bulk->total += bytes;
    if (c->bulk->counting)
        c->counted += bytes;
}

static void ask(struct carrier *c)
{
    struct load *l = c->bulk->load;
    c->asked = true;
    c->to_send = l->upload ? l->size : 0;
    load_ask(l, &c->viewer, load_turn(l, c->number, c->transfers), c->to_send, "");
    if (c->to_send)
        conn_fill(&c->viewer.conn, true);
}

static void on_ready(struct viewer *v)
{
    ask(of(v));
}

static void on_room(struct viewer *v)
{
    struct carrier *c = of(v);
    size_t taken =
        conn_push(&v->conn, slice_make(block, c->to_send < BLOCK ? (size_t)c->to_send : BLOCK));
    c->to_send -= taken;
    count(c, taken);
    if (c->to_send == 0)
        conn_fill(&v->conn, false);
}

static void on_body(struct viewer *v, struct slice bytes)
{
    if (!of(v)->bulk->load->upload)
        count(of(v), bytes.len);
}

static void finish(struct carrier *c)
{
    struct bulk *b = c->bulk;
    c->finished_us = clock_now_us();
    if (++b->finished == b->load->connections)
        load_stop(b->load);
}

/* Counts a transfer. An answer that comes before the end of the upload is a refusal. */
static void on_answer(struct viewer *v)
{
    struct carrier *c = of(v);
    uint64_t wanted = c->bulk->load->transfers;
    c->asked = false;
    if (v->status != 200 || c->to_send > 0) {
        fprintf(stderr, "load: status %d\n", v->status);
        c->bulk->errors++;
        viewer_close(v);
        finish(c);
        return;
    }
    c->transfers++;
    if (wanted && c->transfers == wanted)
        finish(c);
    else
        ask(c);
}

/* Counts the error, which the result shows. The other connections go on. */
static void on_broken(struct viewer *v, const char *why)
{
    struct carrier *c = of(v);
    if (!c->asked && v->state == VIEWER_IDLE)
        return;
    fprintf(stderr, "load: a transfer failed: %s\n", why);
    c->bulk->errors++;
    finish(c);
}

static const struct viewer_ops carrier_ops = {.on_ready = on_ready,
                                              .on_body = on_body,
                                              .on_answer = on_answer,
                                              .on_room = on_room,
                                              .on_broken = on_broken};

static void on_warm(evutil_socket_t fd, short what, void *user)
{
    struct bulk *b = user;
    b->counting = true;
    b->warm_us = clock_now_us();
}

static void on_time_up(evutil_socket_t fd, short what, void *user)
{
    load_stop(((struct bulk *)user)->load);
}

static void arm(struct event *timer, struct load *l, event_callback_fn run, struct bulk *b,
                uint64_t after_ms)
{
    struct timeval after = {.tv_sec = (time_t)(after_ms / 1000),
                            .tv_usec = (suseconds_t)(after_ms % 1000 * 1000)};
    evtimer_assign(timer, l->base, run, b);
    evtimer_add(timer, &after);
}

static void dial_all(struct bulk *b, const struct viewer_ops *ops)
{
    struct load *l = b->load;
    b->carriers = xcalloc(l->connections, sizeof *b->carriers);
    for (size_t i = 0; i < l->connections; i++) {
        struct carrier *c = &b->carriers[i];
        *c = (struct carrier){.bulk = b, .number = i, .viewer.conn.fd = -1};
        if (viewer_dial(&c->viewer, l->base, ops, (uint16_t)l->port, i) < 0) {
            b->errors++;
            finish(c);
        }
    }
}

static void close_all(struct bulk *b)
{
    for (size_t i = 0; i < b->load->connections; i++)
        viewer_close(&b->carriers[i].viewer);
    free(b->carriers);
}

static void print(const struct bulk *b)
{
    uint64_t counted = 0, transfers = 0, end = clock_now_us();
    double seconds = (double)(end - b->warm_us) / 1e6;
    for (size_t i = 0; i < b->load->connections; i++) {
        counted += b->carriers[i].counted;
        transfers += b->carriers[i].transfers;
    }
    printf("{\"seconds\": %.6f, \"bytes\": %llu, \"total_bytes\": %llu, \"mb_per_s\": %.3f, "
           "\"transfers\": %llu, \"errors\": %llu, "
           "\"connections\": [",
           seconds, (unsigned long long)counted, (unsigned long long)b->total,
           (double)counted / 1e6 / seconds, (unsigned long long)transfers,
           (unsigned long long)b->errors);
    for (size_t i = 0; i < b->load->connections; i++)
        printf("%s%llu", i ? ", " : "", (unsigned long long)b->carriers[i].counted);
    printf("]}\n");
}

int bulk_run(struct load *l)
{
    struct bulk b = {.load = l};
    dial_all(&b, &carrier_ops);
    if (l->warmup_ms)
        arm(&b.warm, l, on_warm, &b, l->warmup_ms);
    else
        on_warm(-1, 0, &b);
    arm(&b.end, l, on_time_up, &b, l->warmup_ms + l->milliseconds);
    if (b.finished < l->connections)
        event_base_dispatch(l->base);
    print(&b);
    if (l->warmup_ms)
        event_del(&b.warm);
    event_del(&b.end);
    close_all(&b);
    return 0;
}

/* ---- stall */

static void on_stalled_head(struct viewer *v)
{
    struct bulk *b = of(v)->bulk;
    conn_stop_reading(&v->conn);
    if (++b->opened == b->load->connections) {
        printf("{\"stalled\": %llu, \"errors\": %llu}\n", (unsigned long long)b->opened,
               (unsigned long long)b->errors);
        fflush(stdout);
    }
}

static void on_stalled_ready(struct viewer *v)
{
    static const int window = STALL_WINDOW;
    setsockopt(v->conn.fd, SOL_SOCKET, SO_RCVBUF, &window, sizeof window);
    ask(of(v));
}

static const struct viewer_ops stalled_ops = {.on_ready = on_stalled_ready,
                                              .on_head = on_stalled_head,
                                              .on_answer = on_answer,
                                              .on_broken = on_broken};

static void on_command(void *user, char *line)
{
    if (!line)
        load_stop(user);
}

int stall_run(struct load *l)
{
    struct bulk b = {.load = l};
    struct control control;
    dial_all(&b, &stalled_ops);
    control_open(&control, l->base, on_command, l);
    if (b.finished < l->connections)
        event_base_dispatch(l->base);
    control_close(&control);
    close_all(&b);
    return b.errors ? 2 : 0;
}
