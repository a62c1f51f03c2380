/* SPDX-License-Identifier: MIT */
/* config.h - oneportd's options: one table (config.c), one struct, immutable after start. */
#ifndef SRC_WORKER_CONFIG_H
#define SRC_WORKER_CONFIG_H

#include <sys/socket.h>

#include "h2mux/base/log.h"
#include "h2mux/base/opt.h"

struct config {
    const char *domain; /* base domain, lower case, no dot at the end */
    struct opt_list listen;
    const char *cert, *key;
    const char *public_url, *attach_url;
    const char *state_dir;
    const char *landing;
    struct opt_list trusted_proxy;
    uint64_t workers; /* threads; 0: one a core */
    uint64_t ticket_life_ms, hold_ms, name_grace_ms, drain_timeout_ms, keepalive_ms;
    uint64_t pending_ms; /* --name-pending: registered, no link yet: 60s */
    uint64_t max_streams, max_links;
    uint64_t max_tunnels;          /* --max-tunnels-per-address: 50; 0: no limit */
    uint64_t viewer_rate;          /* --viewer-rate: requests a second of an address; 0: no limit */
    uint64_t register_rate;        /* --register-rate: a minute: 60; 0: no limit */
    uint64_t max_handshakes;       /* --max-handshakes-per-address: 64; 0: no limit */
    uint64_t origin_timeout_ms;    /* no response head: 504; 0: off */
    uint64_t idle_timeout_ms;      /* a body that stalls */
    uint64_t websocket_timeout_ms; /* --websocket-timeout: no byte either way: 1h */
    uint64_t head_timeout_ms;      /* --head-timeout: a viewer's head: 15s */
    uint64_t viewer_keepalive_ms;  /* --viewer-keepalive: between requests: 75s */
    uint64_t attach_timeout_ms; /* --attach-timeout: TLS handshake, PTTH head, first SETTINGS: 10s
                                   each */
    uint64_t max_body;          /* --max-body: request body, 0: no limit */
    uint64_t memory_budget;     /* --memory-budget: bodies under way of all links: 512 MiB */
    uint64_t stall_ms; /* --stall-timeout: who took nothing for so long may be given up: 10s */
    const char *early_hints; /* auto, on or off: rule R4 */
    const char *log_level, *log_format, *access_log;
    /* localtunnel's aliases, folded into the above by config_parse */
    const char *port, *address;
    bool secure;
    uint64_t max_sockets;
    char *owned[3]; /* owned: what config_parse made of domain, listen and state_dir */
};

/* Everything checked, files not yet opened. OPT_RUN: go on. */
enum opt_result config_parse(int argc, char **argv, struct config *c) MUSTCHECK;
void config_deinit(struct config *c); /* after any result of config_parse */

/* SCHEME://HOST[:PORT], nothing behind it but one '/'. ERR_SYNTAX. */
struct base_url {
    bool https;
    struct slice host; /* borrowed from the text */
    uint16_t port;     /* 0: none was given */
};
int base_url_parse(const char *text, struct base_url *out) MUSTCHECK;

/* What --listen takes: numeric ADDR:PORT, [IPV6]:PORT, unix:/PATH (then out is a sockaddr_un).
 * ERR_SYNTAX. */
int listen_address_parse(const char *text, struct sockaddr_storage *out, socklen_t *len) MUSTCHECK;

#endif
