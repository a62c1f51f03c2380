/* main.c - oneportd: options → what the process shares → a worker → signals → the way back down. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "h2mux/base/clock.h"
#include "src/config.h"
#include "src/drain.h"
#include "src/listener.h"
#include "src/registry.h"
#include "src/state.h"
#include "src/ticket.h"
#include "src/worker.h"

enum { EXIT_USAGE = 1, EXIT_INTERNAL = 70, REASON_MAX = 512 };

static int complain(const char *what, const char *reason)
{
    fprintf(stderr, "oneportd: %s: %s\n", what, reason);
    return EXIT_USAGE;
}

/* Every viewer costs a descriptor: take what the system gives, and say when that is little. */
static void raise_descriptor_limit(const struct config *c)
{
    struct rlimit r;
    if (getrlimit(RLIMIT_NOFILE, &r) < 0)
        return;
    r.rlim_cur = r.rlim_max;
    setrlimit(RLIMIT_NOFILE, &r);
    getrlimit(RLIMIT_NOFILE, &r);
    if (r.rlim_cur < 2 * c->max_streams)
        LOG(WARN, "few descriptors", "limit=%llu wanted=%llu", (unsigned long long)r.rlim_cur,
            (unsigned long long)(2 * c->max_streams));
}

static int open_log(const struct config *c)
{
    enum log_level level = LOG_INFO;
    if (!log_level_parse(slice_str(c->log_level), &level) || log_open(NULL, level, strcmp(c->log_format, "json") == 0) < 0)
        return complain("--log-level", "not a level");
    return 0;
}

static int open_access_log(struct server *s)
{
    const char *path = s->config->access_log;
    if (strcmp(path, "off") == 0)
        return 0;
    s->access_log = log_file_open(path);
    return s->access_log != NULL ? 0 : complain(path, strerror(errno));
}

static int open_trust(struct server *s)
{
    s->trust = trust_new();
    for (size_t i = 0; i < s->config->trusted_proxy.count; i++)
        if (trust_add(s->trust, s->config->trusted_proxy.item[i]) < 0)
            return complain("--trusted-proxy", s->config->trusted_proxy.item[i]);
    return 0;
}

static int open_tls(struct server *s)
{
    char reason[TLS_REASON_MAX];
    if (s->config->cert == NULL)
        return 0;
    s->tls = tls_server_new(s->config->cert, s->config->key, reason);
    return s->tls != NULL ? 0 : complain("TLS", reason);
}

static int open_state(struct server *s)
{
    char reason[REASON_MAX];
    const char *dir = s->config->state_dir;
    if (state_prepare(dir) < 0)
        return complain(dir, strerror(errno));
    s->keyring = keyring_open(dir, reason, sizeof reason);
    if (s->keyring == NULL || state_node(dir, s->node, reason, sizeof reason) < 0)
        return complain("--state-dir", reason);
    return 0;
}

static int open_registry(struct server *s, struct worker *w)
{
    char reason[REASON_MAX];
    s->registry = registry_new(w->loop, s->config, reason, sizeof reason);
    return s->registry != NULL ? 0 : complain("--state-dir", reason);
}

static int start_listening(struct worker *w)
{
    const struct opt_list *addresses = &w->server->config->listen;
    char reason[LISTENER_REASON_MAX];
    for (size_t i = 0; i < addresses->count; i++) {
        int fd = listener_bind(addresses->item[i], reason);
        if (fd < 0)
            return complain(addresses->item[i], reason);
        listener_start(w, fd);
    }
    return 0;
}

static void server_close(struct server *s)
{
    tls_free(s->tls);
    trust_free(s->trust);
    keyring_free(s->keyring);
    log_file_close(s->access_log);
}

static int serve(struct worker *w)
{
    int status = open_registry(w->server, w);
    if (status == 0)
        status = start_listening(w);
    if (status == 0) {
        raise_descriptor_limit(w->server->config);
        struct drain *drain = drain_new(w);
        loop_run(w->loop);
        drain_free(drain);
    }
    worker_stop(w);
    registry_free(w->server->registry);
    return status;
}

static int run(const struct config *c)
{
    struct server s = {.config = c, .started_us = clock_now_us()};
    int status = open_log(c);
    if (status == 0)
        status = open_access_log(&s);
    if (status == 0)
        status = open_trust(&s);
    if (status == 0)
        status = open_tls(&s);
    if (status == 0)
        status = open_state(&s);
    struct worker *w = status == 0 ? worker_new(&s, 0) : NULL;
    if (status == 0)
        status = w != NULL ? serve(w) : EXIT_INTERNAL;
    worker_free(w);
    server_close(&s);
    log_close();
    return status;
}

int main(int argc, char **argv)
{
    static struct config config; /* what the environment gave stays reachable from here */
    int status = EXIT_USAGE;
    signal(SIGPIPE, SIG_IGN);
    switch (config_parse(argc, argv, &config)) {
    case OPT_RUN:
        status = run(&config);
        break;
    case OPT_SHOWN:
        status = EXIT_SUCCESS;
        break;
    case OPT_WRONG:
        break;
    }
    config_deinit(&config);
    return status;
}
