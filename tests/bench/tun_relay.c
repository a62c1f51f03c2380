/* SPDX-License-Identifier: MIT */
/* tun_relay.c - a line between two network namespaces, packet by packet. TCP runs from end to end
 * over it, with slow start, congestion control and retransmissions; wan.c ends TCP at both sides.
 *
 * `tun_relay PID PID RTT-MS KBIT-PER-S LOSS-PER-MILLION SEED QUEUE-BYTES` makes a TUN device DEVICE
 * in the namespace of each of the two processes, and carries packets between them. Each direction
 * has half of the round trip as delay, one rate, a queue for packets that wait for the rate, and
 * losses at random. A packet that finds the queue full is dropped. With a QUEUE-BYTES of 0 the
 * queue holds what the line carries in a round trip, and at least QUEUE_LEAST: a full queue then
 * doubles the round trip, and a sender that fills the line does not starve after a loss.
 *
 * Prints a line when both devices are there. The command "counts" prints the packets of both
 * directions as JSON. Serves until standard input ends.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "h2mux/base/clock.h"
#include "h2mux/base/err.h"
#include "h2mux/base/list.h"
#include "tests/bench/conn.h"
#include "tests/bench/control.h"
#include "tests/bench/schedule.h"

enum { PACKET_MAX = 2048, READS_A_TURN = 64, QUEUE_LEAST = 32768, WARM_UP = 16, MILLION = 1000000 };

#define DEVICE "line0"

struct packet {
    struct list_node node;
    uint64_t due_us; /* when it reaches the far end */
    size_t len;
    char bytes[];
};

/* One direction. */
struct way {
    int from, to;
    struct event reader, timer;
    struct list_node packets; /* in the order of due_us */
    double free_us;           /* when the rate has room for the next packet */
    uint64_t random;          /* the state of the generator, not 0 */
    uint64_t passed, lost, dropped;
};

static struct {
    struct event_base *base;
    struct way ways[2];
    uint64_t delay_us, loss;
    double bytes_per_us, queue;
} line;

/* Returns the next number of a generator of Marsaglia's kind (xorshift). */
static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static void arm(struct way *w)
{
    if (list_empty(&w->packets))
        return;
    struct packet *p = CONTAINER_OF(w->packets.next, struct packet, node);
    uint64_t now = clock_now_us(), wait = p->due_us > now ? p->due_us - now : 0;
    struct timeval after = {.tv_sec = (time_t)(wait / MILLION),
                            .tv_usec = (suseconds_t)(wait % MILLION)};
    event_add(&w->timer, &after);
}

/* Returns whether the line takes a packet of @len bytes, and stores when it is at the far end. */
static bool way_admit(struct way *w, size_t len, uint64_t now, uint64_t *due_us)
{
    double start = w->free_us > (double)now ? w->free_us : (double)now;
    if ((start - (double)now) * line.bytes_per_us + (double)len > line.queue) {
        w->dropped++;
        return false;
    }
    w->free_us = start + (double)len / line.bytes_per_us;
    *due_us = (uint64_t)w->free_us + line.delay_us;
    bool lost = next_random(&w->random) % MILLION < line.loss;
    *(lost ? &w->lost : &w->passed) += 1;
    return !lost;
}

static void on_packets(evutil_socket_t fd, short what, void *user)
{
    struct way *w = user;
    char bytes[PACKET_MAX];
    ssize_t got;
    bool idle = list_empty(&w->packets);
    for (int i = 0; i < READS_A_TURN && (got = read(fd, bytes, sizeof bytes)) > 0; i++) {
        uint64_t due_us;
        if (!way_admit(w, (size_t)got, clock_now_us(), &due_us))
            continue;
        struct packet *p = xcalloc(1, sizeof *p + (size_t)got);
        p->due_us = due_us;
        p->len = (size_t)got;
        memcpy(p->bytes, bytes, p->len);
        list_push(&w->packets, &p->node);
    }
    if (idle)
        arm(w);
}

static void on_due(evutil_socket_t fd, short what, void *user)
{
    struct way *w = user;
    uint64_t now = clock_now_us();
    LIST_FOREACH (node, &w->packets) {
        struct packet *p = CONTAINER_OF(node, struct packet, node);
        if (p->due_us > now)
            break;
        if (write(w->to, p->bytes, p->len) < 0)
            w->dropped++;
        list_remove(&p->node);
        free(p);
    }
    arm(w);
}

/* Makes the device in the namespace of @pid and returns its descriptor, or -1. */
static int open_device(const char *pid)
{
    char path[64];
    struct ifreq request = {.ifr_flags = IFF_TUN | IFF_NO_PI, .ifr_name = DEVICE};
    snprintf(path, sizeof path, "/proc/%s/ns/net", pid);
    int space = open(path, O_RDONLY | O_CLOEXEC);
    bool inside = space >= 0 && setns(space, CLONE_NEWNET) == 0;
    int fd = inside ? open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC) : -1;
    if (space >= 0)
        close(space);
    if (fd >= 0 && ioctl(fd, TUNSETIFF, &request) < 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static void way_init(struct way *w, int from, int to, uint64_t seed)
{
    *w = (struct way){.from = from, .to = to, .random = seed};
    list_init(&w->packets);
    for (int i = 0; i < WARM_UP; i++)
        next_random(&w->random);
    event_assign(&w->reader, line.base, from, EV_READ | EV_PERSIST, on_packets, w);
    evtimer_assign(&w->timer, line.base, on_due, w);
    event_add(&w->reader, NULL);
}

static void on_command(void *user, char *text)
{
    if (!text) {
        event_base_loopbreak(line.base);
        return;
    }
    printf("[");
    for (int i = 0; i < 2; i++) {
        const struct way *w = &line.ways[i];
        printf("%s{\"passed\": %llu, \"lost\": %llu, \"dropped\": %llu}", i ? ", " : "",
               (unsigned long long)w->passed, (unsigned long long)w->lost,
               (unsigned long long)w->dropped);
    }
    printf("]\n");
    fflush(stdout);
}

/* Runs before other programs, where that is allowed: a relay that waits for a processor would make
 * the line longer. */
static void take_precedence(void)
{
    static const struct sched_param first = {.sched_priority = 1};
    if (sched_setscheduler(0, SCHED_FIFO, &first) < 0)
        perror("tun_relay: runs like any program");
}

static int run(const char *near, const char *far, uint64_t seed)
{
    int first = open_device(near), second = first < 0 ? -1 : open_device(far);
    line.base = schedule_base_new();
    if (second < 0 || !line.base) {
        perror("tun_relay");
        return 1;
    }
    struct control control;
    take_precedence();
    way_init(&line.ways[0], first, second, 2 * seed + 1);
    way_init(&line.ways[1], second, first, 2 * seed + 2);
    control_open(&control, line.base, on_command, NULL);
    printf("carries packets\n");
    fflush(stdout);
    return event_base_dispatch(line.base) < 0;
}

int main(int argc, char **argv)
{
    uint64_t rtt_ms = 0, kbit = 0, seed = 0, queue = 0;
    if (argc != 8 || slice_to_u64(slice_str(argv[3]), 10000, &rtt_ms) < 0 ||
        slice_to_u64(slice_str(argv[4]), 10000000, &kbit) < 0 || kbit == 0 ||
        slice_to_u64(slice_str(argv[5]), MILLION, &line.loss) < 0 ||
        slice_to_u64(slice_str(argv[6]), UINT32_MAX, &seed) < 0 ||
        slice_to_u64(slice_str(argv[7]), UINT32_MAX, &queue) < 0)
        return 1;
    conn_prepare_process();
    line.delay_us = rtt_ms * 500;
    line.bytes_per_us = (double)kbit / 8000;
    line.queue = (double)queue;
    if (queue == 0)
        line.queue = line.bytes_per_us * (double)rtt_ms * 1000;
    if (line.queue < QUEUE_LEAST && queue == 0)
        line.queue = QUEUE_LEAST;
    return run(argv[1], argv[2], seed);
}
