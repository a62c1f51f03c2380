/* SPDX-License-Identifier: MIT */
/* load.h - what the modes of the load generator share: options, the event loop, and requests. */
#ifndef TESTS_BENCH_LOAD_H
#define TESTS_BENCH_LOAD_H

#include <event2/event.h>

#include "h2mux/base/buf.h"
#include "tests/bench/viewer.h"

enum { LOAD_REQUEST_LIMIT = 4096, LOAD_HOST_MAX = 512 };

struct load {
    struct event_base *base;
    /* options */
    uint64_t port, connections, rate, milliseconds, warmup_ms, size, transfers, hosts, every,
        limit_s;
    const char *host, *path, *order, *viewer;
    bool upload, check;
    /* for the modes; main owns them */
    struct buf request; /* scratch */
    struct buf ordered; /* --order as `hosts` numbers of type uint64_t; empty for 0, 1, 2, ... */
};

/* Reads --order. Fails with ERR_SYNTAX if it is no list of numbers. */
int load_prepare(struct load *l) MUSTCHECK;

/* Makes @v ask for "GET PATH" or, with @body above 0, for "POST PATH" with that Content-Length.
 * @fields are further lines, each with its CRLF. In a host with "%" the sign becomes the number of
 * a host, taken from the ring of hosts at @number. With --check the answer has to begin with the
 * first label of the host and a dot. */
void load_ask(struct load *l, struct viewer *v, uint64_t number, uint64_t body, const char *fields);

/* Returns the @number for load_ask when @viewer sends its request number @request. A viewer keeps
 * one host or, with --every, alternates between two. */
uint64_t load_turn(const struct load *l, uint64_t viewer, uint64_t request);

double load_seconds(const struct load *l);
void load_stop(struct load *l); /* ends the loop when the current callback returns */

/* The modes. Each prints its results to standard output as JSON objects and returns the exit code.
 */
int rate_run(struct load *l);
int bulk_run(struct load *l);
int stall_run(struct load *l);
int websockets_run(struct load *l);

#endif
