/* worker.h - one event loop with all that lives on it, and what its process shares. Only its own thread touches a worker.
 *
 * Coming: more than one, each a thread; then mailbox.c posts between them and handoff.c moves an edge. */
#ifndef SRC_WORKER_H
#define SRC_WORKER_H

#include "h2mux/loop.h"
#include "h2mux/tls.h"
#include "src/config.h"
#include "src/trust.h"

struct keyring;
struct registry;
struct log_file;

/* Made by main before the loops run, immutable afterwards but for the registry and the flag. */
struct server {
    const struct config *config; /* borrowed from main */
    struct keyring *keyring;     /* owned by main, like all below */
    struct registry *registry;
    struct trust *trust;
    struct tls *tls;             /* NULL: no certificate, plain only */
    struct log_file *access_log; /* NULL: off */
    char node[24];               /* "oneport-" + 8 hex digits: our name in Via */
    uint64_t started_us;
    bool draining;               /* SIGTERM came */
};

/* Summed over the workers when read; a metric file takes its place later. */
struct worker_stats {
    uint64_t requests, websockets, bad_requests;
    uint64_t edges_open, links_open, exchanges_open, websockets_open;
    uint64_t rx_octets, tx_octets; /* bodies, as viewers see them */
    uint64_t register_calls;
};

struct worker {
    struct loop *loop;
    struct server *server; /* borrowed: outlives its workers */
    unsigned index;
    struct list_node listeners, gates, edges, links, exchanges;
    struct log_limit no_tunnel_log, bad_request_log; /* events that a stranger can repeat at will */
    struct worker_stats stats;
};

struct worker *worker_new(struct server *s, unsigned index) MUSTCHECK; /* NULL: no event loop could be made */
void worker_stop_listening(struct worker *w);
void worker_drain(struct worker *w); /* no new connections, idle ones closed, GOAWAY on each link */
bool worker_is_answering(const struct worker *w); /* ordinary exchanges run, or what they answered is still being sent */
void worker_stop(struct worker *w);  /* everything ends: WebSockets by 1012, the rest cut */
void worker_free(struct worker *w);  /* stopped and its loop no longer running */

#endif
