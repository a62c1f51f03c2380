/* SPDX-License-Identifier: MIT */
/* wan.c - a slow long-distance line in user space. `wan TARGET-PORT RTT-MS KBIT-PER-S` relays TCP,
 * in each direction with a delay of half the round trip and one rate for all connections. Prints
 * its port and serves until standard input ends.
 *
 * Socket buffers are small and no more is read than the rate allows, so that bytes which a real
 * line would queue wait at the sender, the program under test, where the benchmark measures them.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "h2mux/base/clock.h"
#include "h2mux/base/err.h"
#include "h2mux/base/list.h"
#include "tests/bench/conn.h"
#include "tests/bench/control.h"
#include "tests/bench/schedule.h"

enum { TICK_US = 1000, PIECE = 4096, SOCKET_BUFFER = 16384, BURST_TICKS = 20, SLACK = 65536 };

/* Bytes that one end has sent and that wait for their time to reach the other end. A len of 0 is
 * the end of the stream. */
struct piece {
    struct list_node node;
    uint64_t due_us;
    size_t len, at;
    char bytes[PIECE];
};

struct flow {
    int from, to; /* borrowed from the relay */
    struct list_node pieces;
    size_t queued;
    bool read_end, sent_end;
};

struct relay {
    struct list_node node;
    int near, far;
    struct flow up, down;
    bool broken;
};

static struct wan {
    struct event_base *base;
    struct list_node relays;
    uint64_t delay_us, ticked_us;
    double bytes_per_us, up_tokens, down_tokens;
    size_t capacity; /* bytes on the line when it is full */
    uint16_t target;
} wan;

/* Sets small buffers and turns off Nagle's algorithm, whose delay would add to the line's. */
static void shape(int fd)
{
    static const int on = 1, size = SOCKET_BUFFER; /* the kernel doubles it */
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
}

static void flow_init(struct flow *f, int from, int to)
{
    *f = (struct flow){.from = from, .to = to};
    list_init(&f->pieces);
}

static void flow_deinit(struct flow *f)
{
    struct list_node *node;
    while ((node = list_pop(&f->pieces)))
        free(CONTAINER_OF(node, struct piece, node));
}

/* Reads one piece from the sender if rate and line have room for it. Returns whether it did. */
static bool flow_read(struct relay *r, struct flow *f, double *tokens, uint64_t now)
{
    if (f->read_end || *tokens < 1 || f->queued > wan.capacity + SLACK)
        return false;
    struct piece *p = xcalloc(1, sizeof *p);
    ssize_t got = recv(f->from, p->bytes, *tokens < PIECE ? (size_t)*tokens : PIECE, 0);
    if (got < 0) {
        free(p);
        r->broken |= errno != EAGAIN && errno != EINTR;
        return false;
    }
    p->len = (size_t)got;
    p->due_us = now + wan.delay_us;
    f->read_end = got == 0;
    f->queued += p->len;
    *tokens -= (double)got;
    list_push(&f->pieces, &p->node);
    return got > 0;
}

/* Sends a piece. Returns whether all of it was sent. */
static bool piece_send(struct relay *r, struct flow *f, struct piece *p)
{
    if (p->len == 0) {
        shutdown(f->to, SHUT_WR);
        f->sent_end = true;
        return true;
    }
    ssize_t taken = send(f->to, p->bytes + p->at, p->len - p->at, MSG_NOSIGNAL);
    if (taken < 0)
        r->broken |= errno != EAGAIN && errno != EINTR;
    else
        p->at += (size_t)taken;
    return p->at == p->len;
}

static void flow_write(struct relay *r, struct flow *f, uint64_t now)
{
    LIST_FOREACH (node, &f->pieces) {
        struct piece *p = CONTAINER_OF(node, struct piece, node);
        if (p->due_us > now || !piece_send(r, f, p))
            return;
        f->queued -= p->len;
        list_remove(&p->node);
        free(p);
    }
}

static void relay_free(struct relay *r)
{
    list_remove(&r->node);
    flow_deinit(&r->up);
    flow_deinit(&r->down);
    close(r->near);
    close(r->far);
    free(r);
}

/* Reads one piece from each relay in turn, until none has any or the rate is used up: relays share
 * the rate evenly. */
static void read_all(uint64_t now)
{
    bool more = true;
    while (more) {
        more = false;
        LIST_FOREACH (node, &wan.relays) {
            struct relay *r = CONTAINER_OF(node, struct relay, node);
            more |= flow_read(r, &r->up, &wan.up_tokens, now);
            more |= flow_read(r, &r->down, &wan.down_tokens, now);
        }
    }
}

static void refill(double *tokens, uint64_t passed_us)
{
    double most = wan.bytes_per_us * TICK_US * BURST_TICKS;
    *tokens += wan.bytes_per_us * (double)passed_us;
    if (*tokens > most)
        *tokens = most;
}

static void on_tick(evutil_socket_t fd, short what, void *user)
{
    uint64_t now = clock_now_us(), passed_us = now - wan.ticked_us;
    wan.ticked_us = now;
    refill(&wan.up_tokens, passed_us);
    refill(&wan.down_tokens, passed_us);
    read_all(now);
    LIST_FOREACH (node, &wan.relays) {
        struct relay *r = CONTAINER_OF(node, struct relay, node);
        flow_write(r, &r->up, now);
        flow_write(r, &r->down, now);
        if (r->broken || (r->up.sent_end && r->down.sent_end))
            relay_free(r);
    }
}

static void on_connection(evutil_socket_t listener, short what, void *user)
{
    int near = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    int far = near < 0 ? -1 : conn_connect(wan.target, 0, shape);
    if (far < 0) {
        if (near >= 0)
            close(near);
        return;
    }
    struct relay *r = xcalloc(1, sizeof *r);
    *r = (struct relay){.near = near, .far = far};
    flow_init(&r->up, near, far);
    flow_init(&r->down, far, near);
    list_push(&wan.relays, &r->node);
}

static void on_command(void *user, char *line)
{
    if (!line)
        event_base_loopbreak(wan.base);
}

static int run(int listener)
{
    static const struct timeval tick = {.tv_usec = TICK_US};
    struct event accepting, ticking;
    struct control control;
    event_assign(&accepting, wan.base, listener, EV_READ | EV_PERSIST, on_connection, NULL);
    event_add(&accepting, NULL);
    event_assign(&ticking, wan.base, -1, EV_PERSIST, on_tick, NULL);
    event_add(&ticking, &tick);
    control_open(&control, wan.base, on_command, NULL);
    return event_base_dispatch(wan.base) < 0;
}

int main(int argc, char **argv)
{
    uint64_t target = 0, rtt_ms = 0, kbit = 0;
    uint16_t port = 0;
    if (argc != 4 || slice_to_u64(slice_str(argv[1]), UINT16_MAX, &target) < 0 ||
        slice_to_u64(slice_str(argv[2]), 10000, &rtt_ms) < 0 ||
        slice_to_u64(slice_str(argv[3]), 10000000, &kbit) < 0)
        return 1;
    conn_prepare_process();
    int listener = conn_listen(&port);
    wan.base = schedule_base_new();
    if (listener < 0 || !wan.base) {
        perror("wan");
        return 1;
    }
    shape(listener); /* accepted sockets inherit this */
    list_init(&wan.relays);
    wan.target = (uint16_t)target;
    wan.delay_us = rtt_ms * 500;
    wan.bytes_per_us = (double)kbit / 8000;
    wan.capacity = (size_t)(wan.bytes_per_us * (double)wan.delay_us);
    wan.ticked_us = clock_now_us();
    printf("listening on %u\n", (unsigned)port);
    fflush(stdout);
    return run(listener);
}
