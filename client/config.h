/* SPDX-License-Identifier: MIT */
/* config.h - reads and judges the command line, the environment and the configuration files.
 * Immutable after start. */
#ifndef CLIENT_CONFIG_H
#define CLIENT_CONFIG_H

#include "client/origin/login.h"
#include "client/origin/origin_words.h"
#include "client/origin/reuse.h"
#include "client/origin/rewrite.h"
#include "client/policy.h"
#include "client/server/proxy_choice.h"
#include "h2mux/base/log.h"
#include "h2mux/base/opt.h"

struct config {
    /* As given; borrowed from argv, the environment and the files. Each member is a row of
     * config.c. */
    const char *file;
    struct { /* the service that is shared */
        uint64_t port;
        const char *origin;
        const char *host;
        bool https;
        const char *cert, *key, *ca;
        bool any_cert;
        const char *host_header, *name, *reuse, *login;
        const char *health; /* a path; NULL: it is not asked for */
    } local;
    struct { /* the server that it is shared through */
        const char *host, *name;
        struct opt_list attach_hosts;
        const char *ca, *proxy;
        bool any_cert;
        uint64_t links, max_streams, max_retries, line_rate;
        const char *congestion; /* NULL: the system's own */
        const char *ticket_file, *token_file;
        const char *token; /* of the environment or a file */
        const char *domain;
        const char *cert, *key;
    } remote;
    struct {
        uint64_t keepalive_ms, server_ms;                  /* the server */
        uint64_t connect_ms, origin_ms, origin_idle_ms;    /* the local service */
        uint64_t idle_ms, websocket_ms, stall_ms, peer_ms; /* what runs between them */
        uint64_t leave_ms;
    } times;
    struct { /* standard output and the log */
        bool open, requests, json, qr;
        const char *url_file;
        const char *log_level, *log_format;
    } output;
    struct policy_options policy; /* who may look */
    uint64_t memory_budget;
    const char *crypto;  /* auto or openssl: who encrypts TLS records */
    const char *sandbox; /* auto, on or off */

    enum opt_source https_from, origin_from; /* of local.https and local.origin */
    enum opt_source log_level_from;          /* of output.log_level */
    enum opt_source retries_from;            /* of remote.max_retries */
    enum opt_source token_from, token_file_from;
    bool makes_file;       /* --config may name one that is missing */
    char *section;         /* owned: of the tunnel in the files; NULL: none */
    const char *tunnel;    /* its name: a part of `section`; NULL: none */
    struct conf *files[2]; /* owned: the user's, then the machine's; or one */

    /* Derived from that. */
    struct url server;
    char *token;            /* owned: by which names are asked for; NULL: none */
    char *policy_text;      /* owned: as the server reads it; NULL: none */
    struct share_keys keys; /* of --share-key */
    int64_t until_s;        /* wall-clock: the tunnel ends then; 0: never */
    struct proxy_choice proxy;
    struct origin_address origin;
    struct origin_words words; /* of the command line */
    struct rewrite rewrite;    /* its origin is set */
    struct url named;          /* whose host the origin's certificate must have; may be empty */
    enum reuse_policy reuse;
    enum login_policy login;
    enum log_level level;
    bool log_json;
};

/* Fills @c, and overwrites the login of a proxy in @argv. Returns OPT_WRONG after one line on
 * standard error that says why. */
enum opt_result config_load(int argc, char **argv, struct config *c) MUSTCHECK;

/* The options of each tunnel of a process. */
enum { CONFIG_TUNNELS_MAX = 64 };
struct config_set {
    struct config *each; /* owned */
    size_t count;
};

/* Fills @out for `oneport start [OPTIONS] TUNNEL... | --all`. The result is that of config_load;
 * the caller frees @out by config_set_deinit, whatever it is. Takes words off @argv. */
enum opt_result config_load_start(int argc, char **argv, struct config_set *out) MUSTCHECK;
void config_set_deinit(struct config_set *set);

/* Fills @c for `oneport login [OPTIONS] HOST`, whose HOST beats every --host. The origin and what
 * depends on it are not set. The result is that of config_load. */
enum opt_result config_load_login(int argc, char **argv, struct config *c) MUSTCHECK;

/* Frees what config_load has allocated, whatever its result was. */
void config_deinit(struct config *c);

/* Returns the path of the user's own file, oneport/config under $XDG_CONFIG_HOME or ~/.config,
 * which the caller frees; NULL when there is no home. */
char *config_own_path(void) MUSTCHECK;

/* Logs `environment_ignored` for each variable that has the name of an option and is another
 * program's (opt_is_foreign). The log is open. */
void config_log_foreign(void);

#endif
