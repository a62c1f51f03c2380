/* SPDX-License-Identifier: MIT */
/* load.h - what every mode of the load generator gets: its options, the loop, and its requests. */
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
    const char *host, *path, *order;
    bool upload, check;
    /* for the modes; owned by main */
    struct buf request; /* scratch */
    struct buf ordered; /* --order as uint64_t, `hosts` of them; empty: 0, 1, 2, ... */
};

/* Reads --order. ERR_SYNTAX: it is no list of numbers. */
int load_prepare(struct load *l) MUSTCHECK;

/* @v asks "GET PATH" or, with @body, "POST PATH" with that Content-Length, and @fields, lines that
 * end with CRLF. A host with "%" is a pattern: the sign becomes the @number-th of the hosts, which
 * are taken in a ring. With --check the answer has to begin with the host's first label and its
 * dot, which says whose it is. */
void load_ask(struct load *l, struct viewer *v, uint64_t number, uint64_t body, const char *fields);

/* The @number for load_ask of @viewer's @request-th request: a viewer keeps one host or, with
 * --every, goes back and forth between two. */
uint64_t load_turn(const struct load *l, uint64_t viewer, uint64_t request);

double load_seconds(const struct load *l);
void load_stop(struct load *l); /* ends the loop behind the callback that runs */

/* The modes: each prints one JSON object a result on standard output. 0 or an exit code. */
int rate_run(struct load *l);
int bulk_run(struct load *l);
int stall_run(struct load *l);
int websockets_run(struct load *l);

#endif
