/* SPDX-License-Identifier: MIT */
/* config.h - holds the options of oneportd: a table of all options (config.c), and a struct of
 * their values, which does not change: a reload makes a new one. */
#ifndef SRC_WORKER_CONFIG_H
#define SRC_WORKER_CONFIG_H

#include "h2mux/base/log.h"
#include "h2mux/base/opt.h"

/* Where the board is, and what opens it. */
struct config_admin {
    const char *listen; /* --admin; NULL: there is no board */
    const char *token;  /* --admin-token: a file */
};

/* Holds the values of all options. Times are in milliseconds, and sizes in bytes. A limit of 0
 * means no limit. */
struct config {
    const char *user;        /* --user; NULL: the owner of the state directory */
    const char *file;        /* --config */
    const char *sandbox;     /* auto, on or off */
    bool check;              /* --check */
    const char *domain;      /* base domain, lower case, without a dot at the end */
    uint64_t workers;        /* threads; 0: one for each core */
    const char *crypto;      /* auto or openssl: who encrypts TLS records */
    const char *early_hints; /* auto, on or off: rule R4 */
    struct {
        struct opt_list addresses;   /* --listen */
        struct opt_list certs, keys; /* --cert and --key, as many of one as of the other */
        const char *cert_dir;
        struct opt_list redirects; /* --redirect */
        struct opt_list trusted_proxy, accept_proxy;
        const char *client_ca;       /* --client-ca; NULL: nobody is asked for a certificate */
        const char *client_id_field; /* --client-id-field; NULL: none */
    } listen;
    struct {
        struct opt_list drop, forward; /* --drop-field, --forward-field */
    } fields;
    struct {
        const char *public, *attach; /* --public-url, --attach-url */
        const char *landing;
        const char *pages;    /* --pages */
        const char *acme_dir; /* --acme-dir */
        uint64_t hsts_ms;     /* --hsts; 0: off */
    } urls;
    struct {
        const char *state_dir;
        const char *tokens;   /* --tokens; NULL: everybody may share */
        const char *policies; /* --policies; NULL: tokens have none */
        uint64_t ticket_life_ms;
        uint64_t pending_ms; /* how long a registered name waits for its first link */
        uint64_t grace_ms;   /* how long a name is held after its last link */
        uint64_t reserve_ms; /* how long a name is reserved for an owner who is away, at most */
        uint64_t hold_ms;    /* how long a request waits for a link */
    } names;
    struct {
        uint64_t keepalive_ms; /* silence of a link before a PING */
        uint64_t drain_ms;     /* for open requests after SIGTERM */
        uint64_t attach_ms;    /* for each of TLS handshake, request head and first SETTINGS */
        uint64_t head_ms;      /* for a viewer's head */
        uint64_t viewer_keepalive_ms; /* between requests of a viewer */
        uint64_t origin_ms;           /* for the head of a response; 0: no limit */
        uint64_t idle_ms;             /* for a body of which no byte moves */
        uint64_t peer_ms;             /* for a viewer whose machine acknowledges nothing; 0: none */
        uint64_t websocket_ms;        /* for a WebSocket without a byte */
        uint64_t stall_ms;            /* for a stream that takes nothing while memory is short */
    } timeouts;
    struct {
        uint64_t streams;        /* of a link */
        uint64_t viewer_streams; /* of a viewer's HTTP/2 connection */
        uint64_t links;          /* of a name */
        uint64_t tunnels;        /* names of an address */
        uint64_t handshakes;     /* under way */
        uint64_t viewer_rate;    /* requests of an address in a second */
        uint64_t register_rate;  /* registers of an address in a minute */
        uint64_t body;           /* of a request */
        uint64_t memory;         /* of all bodies under way */
        uint64_t line_rate;      /* bits a second, expected of the line to a client */
        const char *congestion;  /* asked for links; NULL: the system's own */
    } limits;
    struct {
        const char *served;   /* --old-clients: leap or off */
        uint64_t connections; /* --leap-connections; see config_leap_connections */
    } old;
    struct {
        const char *level, *format;
        const char *access; /* --access-log */
    } log;
    struct config_admin admin;
    /* The options of localtunnel. config_parse makes a listener of `port` and `address`. */
    struct {
        const char *port, *address;
        bool secure;
        uint64_t max_sockets; /* 0: not given */
    } localtunnel;
    struct {
        enum opt_source domain, public, secure, drop, forward;
    } from;            /* where the values of these options come from */
    char *owned[4];    /* owned: texts that config_parse has made */
    struct conf *conf; /* owned: the configuration file; NULL: none */
    int argc;          /* what config_parse was given; borrowed */
    char **argv;
    struct config *older; /* owned: what a reload has replaced; NULL: nothing, or main's */
};

/* The file that is read without --config, if it exists. */
extern const char config_default_file[];

/* Reads and checks all options, and opens no file but the configuration file. Returns OPT_RUN when
 * the program must go on, OPT_SHOWN when the help was printed, or OPT_WRONG, with a message on
 * stderr, when an option is wrong. */
enum opt_result config_parse(int argc, char **argv, struct config *c) MUSTCHECK;

/* What a reload finds. The lists have names of options, with commas. */
struct config_change {
    struct config *now; /* owned; NULL: nothing is different that can change at run time */
    char *applied;      /* owned: options that have another value in @now */
    char *waiting;      /* owned: options that are different, and need a restart */
};

/* Reads the options once more, as config_parse has read them into @old, with the file as it is now.
 * Options that need a restart keep their values. Returns 0, with @out filled in; or ERR_SYNTAX with
 * one line in @why, which names file and line where there is one. */
int config_reload(const struct config *old, struct config_change *out, struct buf *why) MUSTCHECK;

/* Frees @newest and what it has replaced, down to @oldest, which is main's. */
void config_free_newer(const struct config *newest, const struct config *oldest);

/* Logs `environment_ignored` for each variable that has the name of an option and is another
 * program's (opt_is_foreign). The log is open. */
void config_log_foreign(void);

/* Returns how many sockets an old client opens: --leap-connections, or --max-sockets if given. */
static inline uint64_t config_leap_connections(const struct config *c)
{
    return c->localtunnel.max_sockets > 0 ? c->localtunnel.max_sockets : c->old.connections;
}

/* Returns the default of --state-dir, which the caller frees; NULL when there is no home. */
char *config_default_state_dir(void) MUSTCHECK;

/* Frees the memory that config_parse has allocated, whatever its result was. */
void config_deinit(struct config *c);

/* Returns whether certificates are configured. There may be none yet in --cert-dir. */
static inline bool config_has_tls(const struct config *c)
{
    return c->listen.certs.count > 0 || c->listen.cert_dir;
}

/* Holds a URL of the form SCHEME://HOST[:PORT], which may end with one '/'. */
struct base_url {
    bool https;
    struct slice host; /* borrowed from the text */
    uint16_t port;     /* 0: none was given */
};

/* Reads the URL @text into @out. Returns 0, or ERR_SYNTAX when @text has another form. */
int base_url_parse(const char *text, struct base_url *out) MUSTCHECK;

#endif
