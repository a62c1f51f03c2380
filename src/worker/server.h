/* SPDX-License-Identifier: MIT */
/* server.h - holds the state that all workers of the process share. main makes it before the
 * threads start and owns it. While the threads run, only the atomic members change. The objects
 * that the pointers name have their own locks or do not change. */
#ifndef SRC_WORKER_SERVER_H
#define SRC_WORKER_SERVER_H

#include <stdatomic.h>

#include "h2mux/base/notify.h"
#include "h2mux/io/budget.h"
#include "h2mux/io/tls.h"
#include "src/http/trust.h"
#include "src/names/call.h"
#include "src/names/state.h"
#include "src/worker/config.h"

struct bans;
struct commons;
struct directory;
struct helper;
struct keyring;
struct log_file;
struct names_file;
struct policies;
struct pages;
struct quota;
struct store;
struct tokens;
struct worker;

struct server {
    /* Borrowed from main. A reload exchanges it, so who reads it twice may find two. What is older
     * lives as long as the server. */
    const struct config *_Atomic config;
    struct store *store;         /* the state directory; only the thread of names_file writes */
    struct keyring *keyring;     /* borrowed from the store; has a lock */
    struct directory *directory; /* has a lock */
    struct tokens *tokens;       /* of --tokens; has a lock; NULL: everybody may share */
    struct policies *policies;   /* of --policies; has a lock; NULL: none */
    struct trust *trust;
    struct trust *front_ends;      /* of --accept-proxy; NULL: none */
    struct pages *pages;           /* of --pages; NULL: none */
    struct commons *handshakes;    /* those under way; has a lock */
    struct commons *names;         /* has a lock; NULL: no limit but that of the directory */
    struct commons *holds;         /* requests that wait for a backend; has a lock */
    struct commons *descriptors;   /* of viewers and links; has a lock; NULL: no limit */
    struct commons *door;          /* of viewers who ask for the base domain; likewise */
    struct commons *leaps;         /* connections that wait to be closed; has a lock */
    struct commons *sign_ins;      /* passwords that wait to be checked; has a lock */
    struct helper *helper;         /* checks passwords; has a lock and a thread */
    struct quota *quota;           /* has a lock */
    struct bans *bans;             /* has a lock; NULL: nobody can make one */
    struct tls *tls;               /* has a lock; NULL: no certificate, so plain HTTP only */
    struct log_file *access_log;   /* has a lock; NULL: off */
    struct names_file *names_file; /* has a lock and a thread */
    struct notify notify;          /* the supervisor that started the process */
    struct worker **workers;       /* n_workers of them, made by the crew */
    unsigned n_workers;
    const char *congestion;    /* of links, borrowed from @config; NULL: the system's own */
    char node[STATE_NODE_MAX]; /* the server's name in Via, from the store */
    uint64_t started_us;       /* monotonic */
    size_t own_descriptors;    /* that the process had open when it began to accept */
    bool ports_kept;           /* a supervisor keeps a listening socket over restarts */
    struct budget budget;      /* memory for the bodies under way on all links; atomic */
    _Atomic bool draining;     /* a signal has asked for a stop */
    _Atomic unsigned running;  /* the number of workers whose loop has not ended */
};

/* Returns the keys, the domain and the tokens of the server, for call_ticket and call_token. */
static inline struct call_judge server_judge(const struct server *s)
{
    return (struct call_judge){s->keyring, slice_str(s->config->domain), s->tokens};
}

#endif
