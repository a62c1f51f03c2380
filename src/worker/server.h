/* SPDX-License-Identifier: MIT */
/* server.h - what all workers of a process share. main makes it before the threads start; from then
 * on nothing of it changes but what is atomic or locks itself. */
#ifndef SRC_WORKER_SERVER_H
#define SRC_WORKER_SERVER_H

#include <stdatomic.h>

#include "h2mux/io/budget.h"
#include "h2mux/io/tls.h"
#include "src/http/trust.h"
#include "src/names/call.h"
#include "src/names/state.h"
#include "src/worker/config.h"

struct directory;
struct handshakes;
struct keyring;
struct log_file;
struct names_file;
struct quota;
struct worker;

struct server {
    const struct config *config; /* borrowed from main */
    struct keyring *keyring;     /* owned by main, like all below */
    struct directory *directory; /* locks itself */
    struct trust *trust;
    struct handshakes *handshakes; /* locks itself */
    struct quota *quota;           /* locks itself */
    struct tls *tls;               /* NULL: no certificate, plain HTTP only */
    struct log_file *access_log;   /* NULL: off; locks itself */
    struct names_file *names_file; /* touched by worker 0 alone */
    struct worker **workers;       /* n_workers of them, made by the crew */
    unsigned n_workers;
    char node[STATE_NODE_MAX]; /* our name in Via: "oneport-" and 8 hex digits */
    uint64_t started_us;
    struct budget budget;     /* what all links hold of bodies; atomic */
    _Atomic bool draining;    /* a stop was asked for */
    _Atomic unsigned running; /* workers whose loop has not ended */
};

/* Returns what the server judges tickets by. */
static inline struct call_judge server_judge(const struct server *s)
{
    return (struct call_judge){s->keyring, slice_str(s->config->domain)};
}

#endif
