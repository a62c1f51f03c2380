/* load.h - what every mode of the load generator gets: its options, the loop, and the request's
 * texts. */
#ifndef TESTS_BENCH_LOAD_H
#define TESTS_BENCH_LOAD_H

#include <event2/event.h>

#include "h2mux/base/buf.h"

enum { LOAD_REQUEST_LIMIT = 4096 };

struct load {
    struct event_base *base;
    /* options */
    uint64_t port, connections, rate, milliseconds, warmup_ms, size, transfers, hosts, limit_s;
    const char *host, *path;
    bool upload;
    /* for the modes */
    struct buf request; /* owned by main: scratch for load_request */
};

/* "GET PATH" or, with @body, "POST PATH" with that Content-Length, and @fields, lines that end with
 * CRLF. A host with "%" is a pattern: the sign becomes @number modulo --hosts. Good until the next
 * call. */
struct slice load_request(struct load *l, uint64_t number, uint64_t body, const char *fields);

double load_seconds(const struct load *l);
void load_stop(struct load *l); /* ends the loop behind the callback that runs */

/* The modes: each prints one JSON object a result on standard output. 0 or an exit code. */
int rate_run(struct load *l);
int bulk_run(struct load *l);
int stall_run(struct load *l);
int websockets_run(struct load *l);

#endif
