/* SPDX-License-Identifier: MIT */
/* config.h - what the command line and the environment say, judged. Immutable after start. */
#ifndef CLIENT_CONFIG_H
#define CLIENT_CONFIG_H

#include "client/origin/origin_address.h"
#include "client/origin/rewrite.h"
#include "h2mux/base/log.h"
#include "h2mux/base/opt.h"

struct config {
    /* as given; borrowed from argv and the environment */
    uint64_t port;
    const char *host, *subdomain, *local_host, *local_cert, *local_key, *local_ca, *ca,
        *host_header, *ticket_file, *log_level, *log_format;
    bool local_https, allow_invalid_cert, open, print_requests, insecure;
    uint64_t links, max_streams, max_retries;
    uint64_t memory_budget, stall_ms;
    uint64_t keepalive_ms, connect_ms, origin_ms, origin_idle_ms, idle_ms, websocket_ms, server_ms,
        leave_ms;
    /* what follows from it */
    struct url server;
    struct origin_address origin;
    struct rewrite rewrite; /* its origin is set */
    enum log_level level;
    bool log_json;
};

/* OPT_WRONG: one line on standard error has said why. */
enum opt_result config_load(int argc, char **argv, struct config *c) MUSTCHECK;

#endif
