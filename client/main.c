/* SPDX-License-Identifier: MIT */
/* main.c - oneport, the client: builds the parts, runs the loop, takes the parts down.
 *
 * SIGINT and SIGTERM leave in order; a second one ends at once. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "client/config.h"
#include "client/login_command.h"
#include "client/server/tickets.h"
#include "client/server/tunnel.h"
#include "client/terminal.h"
#include "h2mux/base/file.h"
#include "h2mux/base/log.h"
#include "h2mux/base/notify.h"
#include "h2mux/h2/evict.h"
#include "h2mux/io/congestion.h"
#include "h2mux/io/sleep_watch.h"
#include "h2mux/io/tls_gcm.h"

enum {
    BUFFER_LIMIT = 32 * 1024 * 1024, /* of a link: http-rules.md#memory */
    PING_TIMEOUT_MS = 10 * 1000,
    SPARE_DESCRIPTORS = 4, /* and one a link: dials of the server, the resolver's files */
    LAST_WORDS_MS = 1500,  /* sockets that are finishing end by themselves in less */
    LAST_WORDS_POLL_MS = 5
};

struct program {
    struct config config;
    struct notify notify; /* the supervisor that started the process */
    struct loop *loop;
    size_t finishing;     /* connections to the origin that no exchange has any more */
    struct budget budget; /* what uploads hold */
    struct evictor evictor;
    struct tls *server_tls, *origin_tls;
    struct resolver *resolver;
    struct terminal *terminal;
    struct origin *origin;
    struct exchange_list *exchanges;
    struct call_env env;
    struct tunnel *tunnel;
    char *ticket_file; /* owned */
    char *origin_text; /* owned: the origin with its scheme */
    char *name;        /* owned: what is asked for; NULL: any */
    struct event sigint, sigterm;
    struct sleep_watch sleep;
    struct timer last_words;
    uint64_t ended_us;
    bool leaving, over;
    enum exit_code code;
};

static enum exit_code complain(const char *what, const char *reason)
{
    fprintf(stderr, "oneport: %s: %s\n", what, reason);
    return EXIT_USAGE;
}

/* ---- signals and the end */

static void on_exit_code(void *user, enum exit_code code)
{
    struct program *p = user;
    p->code = code;
    p->over = true;
    loop_stop(p->loop);
}

static void on_signal(evutil_socket_t number, short what, void *user)
{
    struct program *p = user;
    if (p->leaving) {
        on_exit_code(p, EXIT_STOPPED);
        return;
    }
    p->leaving = true;
    notify_tell(&p->notify, "STOPPING=1");
    LOG(INFO, "leaving", LOG_I("signal", number),
        LOG_U("exchanges", exchange_list_ordinary(p->exchanges)),
        LOG_U("websockets", exchange_list_websockets(p->exchanges)));
    client_tunnel_leave(p->tunnel);
}

static void on_url(void *user, const char *url)
{
    struct program *p = user;
    struct url parsed;
    bool own = url_parse(slice_str(url), &parsed) == 0 &&
               (reach_covers(&p->env.reach, &p->config.server, &parsed) ||
                (url_is_loopback(&p->config.server) && url_is_loopback(&parsed)));
    terminal_show_url(p->terminal, url, own);
    notify_tell(&p->notify, "READY=1");
}

static void on_finished(void *user, const struct exchange_report *r)
{
    struct program *p = user;
    terminal_show_request(p->terminal, r->method, r->path, r->status, r->ms);
}

static void on_quiet(void *user)
{
    struct program *p = user;
    client_tunnel_quiet(p->tunnel);
}

static void on_wake(void *user, uint64_t slept_ms)
{
    struct program *p = user;
    LOG(INFO, "machine_has_slept", LOG_U("ms", slept_ms));
    client_tunnel_wake(p->tunnel);
}

static void watch_signals(struct program *p)
{
    struct event_base *base = loop_base(p->loop);
    evsignal_assign(&p->sigint, base, SIGINT, on_signal, p);
    evsignal_assign(&p->sigterm, base, SIGTERM, on_signal, p);
    evsignal_add(&p->sigint, NULL);
    evsignal_add(&p->sigterm, NULL);
}

/* ---- the parts */

/* Raises the limit of descriptors as far as the system allows: each stream needs one. */
static void raise_descriptors(const struct config *c)
{
    struct rlimit limit;
    uint64_t streams = c->remote.links * c->remote.max_streams;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur < streams)
        LOG(WARN, "few_descriptors", LOG_U("limit", limit.rlim_cur), LOG_U("max_streams", streams));
}

/* Warns of options that have no effect. They are not refused, since the environment may hold them
 * for other shares. */
static void tell_unused(const struct config *c)
{
    if (!c->origin.url.https && (c->local.cert || c->local.key || c->local.ca || c->local.name))
        LOG(WARN, "local_tls_options_unused", LOG_STR("origin", c->origin.text),
            LOG_STR("want", "https://HOST[:PORT]"));
}

static void tell_exposed(const struct config *c)
{
    const char *key = c->local.key ? c->local.key : c->local.cert; /* the key may be in there */
    if (c->origin.url.https && c->local.cert && tls_key_exposed(key))
        LOG(WARN, "tls_key_readable", LOG_STR("key", key));
}

/* Says by which proxy the server is reached. Its login is not said. */
static void tell_proxy(const struct config *c)
{
    const struct proxy *proxy = proxy_for(&c->proxy, &c->server);
    if (proxy)
        LOG(INFO, "by_proxy", LOG_STR("proxy", proxy->host), LOG_U("port", proxy->port),
            LOG_STR("from", c->proxy.from));
}

static bool make_tls(struct program *p)
{
    const struct config *c = &p->config;
    struct tls_client_options server = {
        .ca_file = c->remote.ca, .ca_beside = true, .insecure = c->remote.any_cert};
    struct tls_client_options origin = {
        .ca_file = c->local.ca,
        .cert_file = c->local.cert,
        .key_file = c->local.key,
        .insecure = c->local.any_cert,
        .old = c->local.any_cert,
        .resumes = true,
    };
    char reason[TLS_REASON_MAX];
    if (strcmp(c->crypto, "openssl") == 0)
        tls_gcm_forbid();
    tell_unused(c);
    tell_proxy(c);
    tell_exposed(c);
    p->server_tls = tls_client_new(&server, reason);
    if (p->server_tls && c->origin.url.https)
        p->origin_tls = tls_client_new(&origin, reason);
    if (p->server_tls && (p->origin_tls || !c->origin.url.https))
        return true;
    fprintf(stderr, "oneport: %s\n", reason);
    return false;
}

static bool make_base(struct program *p)
{
    p->loop = loop_new();
    p->resolver = p->loop ? resolver_new(p->loop) : NULL;
    p->terminal =
        p->resolver ? terminal_new(p->config.output.requests, p->config.output.open) : NULL;
    if (p->terminal) {
        budget_init(&p->budget, p->config.memory_budget);
        evictor_init(&p->evictor, &p->budget, p->loop);
        return true;
    }
    complain("cannot start", strerror(errno));
    return false;
}

static void make_exchanges(struct program *p)
{
    const struct config *c = &p->config;
    struct origin_options origin = {
        .loop = p->loop,
        .resolver = p->resolver,
        .tls = p->origin_tls,
        .address = &c->origin,
        .tls_name = c->named.host[0] != '\0' ? c->named.host : NULL,
        .connect_ms = c->times.connect_ms,
        .finishing = &p->finishing,
        .idle_ms = c->times.origin_idle_ms,
        .peer_ms = c->times.peer_ms,
        .spare = SPARE_DESCRIPTORS + (unsigned)c->remote.links,
        .reuse = c->reuse,
        .login = c->login,
    };
    p->origin = origin_new(&origin);
    struct exchange_list_options exchanges = {
        .loop = p->loop,
        .origin = p->origin,
        .rewrite = &c->rewrite,
        .finishing = &p->finishing,
        .max = c->remote.max_streams * c->remote.links,
        .times = {.origin_ms = c->times.origin_ms,
                  .idle_ms = c->times.idle_ms,
                  .websocket_ms = c->times.websocket_ms},
        .on_finished = on_finished,
        .on_quiet = on_quiet,
        .user = p,
    };
    p->exchanges = exchange_list_new(&exchanges);
}

/* Returns how long the server has to answer a PING: less where --keepalive asks for less. */
static uint64_t ping_timeout_ms(const struct config *c)
{
    bool sooner = c->times.keepalive_ms != 0 && c->times.keepalive_ms < PING_TIMEOUT_MS;
    return sooner ? c->times.keepalive_ms : PING_TIMEOUT_MS;
}

static struct h2_options link_options(struct program *p)
{
    const struct config *c = &p->config;
    return (struct h2_options){
        .max_streams = (uint32_t)c->remote.max_streams,
        .keepalive_ms = c->times.keepalive_ms,
        .ping_timeout_ms = ping_timeout_ms(c),
        .settings_timeout_ms = c->times.server_ms,
        .buffer_limit = BUFFER_LIMIT,
        .evictor = &p->evictor,
        .line_rate = c->remote.line_rate / 8,
        .congestion = congestion_choose(c->remote.congestion),
        .stall_ms = c->times.stall_ms,
    };
}

static bool make_tunnel(struct program *p)
{
    const struct config *c = &p->config;
    p->ticket_file =
        c->remote.ticket_file ? xstrdup(c->remote.ticket_file) : tickets_default_path();
    p->origin_text = xasprintf("%s://%s", c->origin.url.https ? "https" : "http", c->origin.text);
    p->name = c->remote.name ? xstrdup(c->remote.name) : NULL;
    if (p->name)
        ascii_lower(p->name, strlen(p->name)); /* names have no case, so tickets have none */
    p->env = (struct call_env){
        .loop = p->loop,
        .resolver = p->resolver,
        .tls = p->server_tls,
        .timeout_ms = c->times.server_ms,
        .reach = {.hosts = &c->remote.attach_hosts},
        .proxy = c->proxy,
    };
    struct tunnel_options tunnel = {
        .env = &p->env,
        .exchanges = p->exchanges,
        .server = &c->server,
        .name = p->name,
        .origin = p->origin_text,
        .ticket_file = p->ticket_file,
        .links = (unsigned)c->remote.links,
        .h2 = link_options(p),
        .max_retries = c->remote.max_retries,
        .leave_ms = c->times.leave_ms,
        .on_url = on_url,
        .on_exit = on_exit_code,
        .user = p,
    };
    p->tunnel = client_tunnel_new(&tunnel);
    if (!p->tunnel)
        complain("cannot start", strerror(errno));
    return p->tunnel;
}

/* ---- taking it down */

static void poll_last_words(void *user)
{
    struct program *p = user;
    bool late = loop_now_us(p->loop) - p->ended_us > (uint64_t)LAST_WORDS_MS * 1000;
    if (late || !loop_has_adopted(p->loop))
        loop_stop(p->loop);
    else
        timer_arm(&p->last_words, LAST_WORDS_POLL_MS);
}

/* Runs the loop until the sockets that still send their last bytes are done; nobody owns them. */
static void hear_last_words(struct program *p)
{
    p->ended_us = loop_now_us(p->loop);
    timer_init(&p->last_words, p->loop, poll_last_words, p);
    timer_arm(&p->last_words, 0);
    loop_run(p->loop);
}

static void take_down(struct program *p)
{
    sleep_watch_stop(&p->sleep);
    client_tunnel_free(p->tunnel);
    exchange_list_free(p->exchanges);
    origin_free(p->origin);
    if (p->evictor.loop)
        evictor_deinit(&p->evictor);
    terminal_free(p->terminal);
    resolver_free(p->resolver);
    if (p->over) {
        event_del(&p->sigint);
        event_del(&p->sigterm);
        hear_last_words(p);
    }
    loop_free(p->loop);
    tls_free(p->origin_tls);
    tls_free(p->server_tls);
    free(p->ticket_file);
    free(p->origin_text);
    free(p->name);
    notify_close(&p->notify);
    log_close();
}

static enum exit_code run(struct program *p)
{
    if (!make_tls(p))
        return EXIT_USAGE;
    if (!make_base(p))
        return EXIT_INTERNAL;
    raise_descriptors(&p->config);
    make_exchanges(p);
    if (!make_tunnel(p))
        return EXIT_INTERNAL;
    watch_signals(p);
    sleep_watch_start(&p->sleep, p->loop, on_wake, p);
    client_tunnel_start(p->tunnel);
    loop_run(p->loop);
    return p->code;
}

int main(int argc, char **argv)
{
    static struct program program;
    if (file_ensure_standard() < 0)
        return EXIT_INTERNAL;
    alloc_tune();
    signal(SIGPIPE, SIG_IGN);
    if (argc > 1 && strcmp(argv[1], "login") == 0)
        return (int)login_command_run(argc - 1, argv + 1);
    enum opt_result result = config_load(argc, argv, &program.config);
    switch (result) {
    case OPT_RUN:
        break;
    case OPT_SHOWN:
    case OPT_WRONG:
        config_deinit(&program.config);
        return result == OPT_SHOWN ? EXIT_STOPPED : EXIT_USAGE;
    }
    if (log_open(NULL, program.config.level, program.config.log_json) < 0)
        return (int)complain("cannot log", strerror(errno));
    config_log_foreign();
    notify_open(&program.notify);
    enum exit_code code = run(&program);
    take_down(&program);
    config_deinit(&program.config);
    return (int)code;
}
