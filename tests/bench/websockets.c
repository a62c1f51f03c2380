/* SPDX-License-Identifier: MIT */
/* websockets.c - the mode `websockets`: opens --connections WebSockets, prints a line, and holds
 * them until standard input ends. If none opens within PATIENCE_S, those that are open are taken
 * for all that the server can hold.
 *
 * The command `echo RATE MILLISECONDS SIZE` sends messages on a constant schedule, over all
 * WebSockets in turn, and prints the latencies and how many WebSockets echoed. A message begins
 * with the time when it was due and the origin sends it back, so nothing about it is kept here. */
#include <stdio.h>
#include <stdlib.h>

#include "h2mux/base/clock.h"
#include "tests/bench/control.h"
#include "tests/bench/frame.h"
#include "tests/bench/histogram.h"
#include "tests/bench/load.h"
#include "tests/bench/schedule.h"
#include "tests/bench/viewer.h"

/* Few open at once: otherwise buffers that a server needs only for a moment would count as the cost
 * of an idle WebSocket. */
enum { AT_ONCE = 32, PATIENCE_S = 5, RX_LIMIT = 2 * FRAME_MAX + 256 * 1024 };

struct socket {
    struct viewer viewer;
    struct buf rx;       /* an incomplete frame */
    struct crowd *crowd; /* borrowed: outlives it */
    uint64_t echoed_us;  /* the due time of the latest echo */
};

struct crowd {
    struct load *load;
    struct socket *sockets;
    struct socket **open; /* the open ones, without gaps */
    struct control control;
    struct schedule schedule;
    struct event grace;    /* ends the wait for the last echoes */
    struct event patience; /* ends the wait for the next to open */
    struct histogram latency;
    uint64_t started_us, dialled, opened, failed, lost, sent, ok, answered;
    size_t size;
    char frame[FRAME_MAX]; /* the next message */
    bool said, echoing, over;
};

static const struct viewer_ops socket_ops;
static const char upgrade[] =
    "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

static struct socket *of(struct viewer *v)
{
    return CONTAINER_OF(v, struct socket, viewer);
}

/* ---- opening */

static void say_opened(struct crowd *c)
{
    printf("{\"opened\": %llu, \"failed\": %llu, \"lost\": %llu, \"seconds\": %.3f}\n",
           (unsigned long long)c->opened, (unsigned long long)c->failed,
           (unsigned long long)c->lost, (double)(clock_now_us() - c->started_us) / 1e6);
    fflush(stdout);
    c->said = true;
    evtimer_del(&c->patience);
}

static void on_patience_over(evutil_socket_t fd, short what, void *user)
{
    say_opened(user);
}

static void dial_next(struct crowd *c)
{
    static const struct timeval patience = {.tv_sec = PATIENCE_S};
    if (c->said || c->dialled == c->load->connections)
        return;
    evtimer_add(&c->patience, &patience);
    size_t number = c->dialled++;
    struct socket *s = &c->sockets[number];
    *s = (struct socket){.crowd = c, .viewer.conn.fd = -1};
    buf_init(&s->rx, RX_LIMIT);
    if (viewer_dial(&s->viewer, c->load->base, &socket_ops, (uint16_t)c->load->port, number) < 0)
        s->viewer.ops->on_broken(&s->viewer, "no socket");
}

static void settled(struct crowd *c)
{
    if (!c->said && c->opened + c->failed == c->load->connections)
        say_opened(c);
    else
        dial_next(c);
}

static void on_ready(struct viewer *v)
{
    struct crowd *c = of(v)->crowd;
    load_ask(c->load, v, (uint64_t)(of(v) - c->sockets), 0, upgrade);
}

static void on_head(struct viewer *v)
{
    struct crowd *c = of(v)->crowd;
    if (v->status != 101)
        return;
    c->open[c->opened++] = of(v);
    settled(c);
}

static void on_refused(struct viewer *v)
{
    fprintf(stderr, "load: no WebSocket: status %d\n", v->status);
    viewer_close(v);
    of(v)->crowd->failed++;
    settled(of(v)->crowd);
}

static void on_broken(struct viewer *v, const char *why)
{
    struct crowd *c = of(v)->crowd;
    fprintf(stderr, "load: a WebSocket broke: %s\n", why);
    buf_release(&of(v)->rx);
    if (v->state == VIEWER_SWITCHED) {
        c->lost++; /* stays in `open`: a message sent on it counts as missing */
        return;
    }
    c->failed++;
    settled(c);
}

/* ---- echoing */

static void print_echo(struct crowd *c)
{
    printf("{\"sent\": %llu, \"ok\": %llu, \"errors\": %llu, \"unsent\": %llu, \"broken\": %llu, "
           "\"answered\": %llu, ",
           (unsigned long long)c->sent, (unsigned long long)c->ok,
           (unsigned long long)(c->sent - c->ok),
           (unsigned long long)(c->schedule.count - c->schedule.next), (unsigned long long)c->lost,
           (unsigned long long)c->answered);
    histogram_print(&c->latency, stdout);
    printf("}\n");
    fflush(stdout);
    c->echoing = false;
}

static void on_grace_over(evutil_socket_t fd, short what, void *user)
{
    struct crowd *c = user;
    if (c->echoing && c->over)
        print_echo(c);
}

static bool fire(void *user, uint64_t due_us)
{
    struct crowd *c = user;
    struct socket *s = c->open[c->sent++ % c->opened];
    if (s->viewer.conn.fd < 0)
        return true;
    size_t head = frame_write_head(c->frame, FRAME_BINARY, c->size, true);
    memcpy(c->frame + head, &due_us, sizeof due_us);
    conn_send(&s->viewer.conn, slice_make(c->frame, head + c->size));
    return true;
}

static void on_over(void *user)
{
    static const struct timeval grace = {.tv_sec = SCHEDULE_GRACE_US / 1000000};
    struct crowd *c = user;
    c->over = true;
    if (c->ok >= c->sent)
        print_echo(c);
    else
        evtimer_add(&c->grace, &grace);
}

static void take_echo(struct socket *s, const struct frame *f)
{
    struct crowd *c = s->crowd;
    uint64_t due_us;
    if (f->opcode != FRAME_BINARY || f->body.len < sizeof due_us || !c->echoing)
        return;
    memcpy(&due_us, f->body.ptr, sizeof due_us);
    if (due_us < c->schedule.start_us)
        return; /* a late echo of an earlier command */
    c->answered += s->echoed_us < c->schedule.start_us;
    s->echoed_us = due_us;
    histogram_add(&c->latency, clock_now_us() - due_us);
    if (++c->ok >= c->sent && c->over) {
        evtimer_del(&c->grace);
        print_echo(c);
    }
}

static void on_bytes(struct viewer *v, struct slice bytes)
{
    struct socket *s = of(v);
    struct frame f;
    bool kept = buf_len(&s->rx) > 0;
    if (kept && buf_append(&s->rx, bytes) < 0) {
        viewer_close(v);
        on_broken(v, "a frame that is too long");
        return;
    }
    struct slice all = kept ? buf_slice(&s->rx) : bytes;
    size_t used = 0;
    while (frame_read(slice_skip(all, used), &f)) {
        used += f.len;
        take_echo(s, &f);
    }
    if (kept)
        buf_consume(&s->rx, used);
    else if (buf_append(&s->rx, slice_skip(bytes, used)) < 0)
        used = bytes.len; /* cannot happen: one read is below the limit */
    if (buf_len(&s->rx) == 0)
        buf_release(&s->rx);
}

static void echo(struct crowd *c, double rate, double ms, size_t size)
{
    c->echoing = true;
    c->over = false;
    c->sent = c->ok = c->answered = 0;
    c->size = size;
    c->latency = (struct histogram){.count = 0};
    schedule_start(&c->schedule, c->load->base, rate, ms / 1000);
}

static void on_command(void *user, char *line)
{
    struct crowd *c = user;
    unsigned rate, ms, size;
    if (!line)
        load_stop(c->load);
    else if (!c->echoing && c->opened > 0 &&
             sscanf(line, "echo %u %u %u", &rate, &ms, &size) == 3 && rate > 0 &&
             size >= sizeof(uint64_t) && size <= UINT16_MAX)
        echo(c, rate, ms, size);
    else
        printf("{\"error\": \"not now, or not understood\"}\n");
    fflush(stdout);
}

static const struct viewer_ops socket_ops = {.on_ready = on_ready,
                                             .on_head = on_head,
                                             .on_answer = on_refused,
                                             .on_bytes = on_bytes,
                                             .on_broken = on_broken};

static void close_all(struct crowd *c)
{
    for (size_t i = 0; i < c->dialled; i++) {
        buf_release(&c->sockets[i].rx);
        viewer_close(&c->sockets[i].viewer);
    }
    free(c->sockets);
    free(c->open);
}

int websockets_run(struct load *l)
{
    struct crowd *c = xcalloc(1, sizeof *c);
    c->load = l;
    c->schedule = (struct schedule){.fire = fire, .over = on_over, .user = c};
    c->started_us = clock_now_us();
    c->sockets = xcalloc(l->connections, sizeof *c->sockets);
    c->open = xcalloc(l->connections, sizeof(struct socket *));
    evtimer_assign(&c->grace, l->base, on_grace_over, c);
    evtimer_assign(&c->patience, l->base, on_patience_over, c);
    for (size_t i = 0; i < AT_ONCE; i++)
        dial_next(c);
    control_open(&c->control, l->base, on_command, c);
    event_base_dispatch(l->base);
    control_close(&c->control);
    schedule_stop(&c->schedule);
    evtimer_del(&c->grace);
    evtimer_del(&c->patience);
    close_all(c);
    free(c);
    return 0;
}
