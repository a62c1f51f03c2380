/* SPDX-License-Identifier: MIT */
/* main.c - starts oneportd: reads the options, opens the objects that the workers share, runs the
 * workers, and closes everything again. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "h2mux/base/clock.h"
#include "src/crew.h"
#include "src/drain.h"
#include "src/edge/gate.h"
#include "src/edge/listener.h"
#include "src/limits/quota.h"
#include "src/names/directory.h"
#include "src/names/keyring.h"
#include "src/names/names_file.h"
#include "src/names/state.h"
#include "src/reload.h"
#include "src/tunnels/registry.h"
#include "src/worker/commons.h"
#include "src/worker/config.h"
#include "src/worker/mailbox.h"
#include "src/worker/worker.h"

enum { EXIT_USAGE = 1, EXIT_INTERNAL = 70, REASON_MAX = 512 };

static int complain(const char *what, const char *reason)
{
    fprintf(stderr, "oneportd: %s: %s\n", what, reason);
    return EXIT_USAGE;
}

/* Raises the process's limit of descriptors as far as the system allows, since each viewer needs
 * one. Logs a warning when the limit is less than 2 * --max-streams. */
static void raise_descriptor_limit(const struct config *c)
{
    struct rlimit r;
    if (getrlimit(RLIMIT_NOFILE, &r) < 0)
        return;
    r.rlim_cur = r.rlim_max;
    setrlimit(RLIMIT_NOFILE, &r);
    getrlimit(RLIMIT_NOFILE, &r);
    if (r.rlim_cur < 2 * c->limits.streams)
        LOG(WARN, "few_descriptors", LOG_U("limit", r.rlim_cur),
            LOG_U("wanted", 2 * c->limits.streams));
}

static int open_log(const struct config *c)
{
    enum log_level level = LOG_INFO;
    if (!log_level_parse(slice_str(c->log.level), &level) ||
        log_open(NULL, level, strcmp(c->log.format, "json") == 0) < 0)
        return complain("--log-level", "not a level");
    return 0;
}

static int open_access_log(struct server *s)
{
    const char *path = s->config->log.access;
    if (strcmp(path, "off") == 0)
        return 0;
    s->access_log = log_file_open(path);
    return s->access_log ? 0 : complain(path, strerror(errno));
}

static int open_trust(struct server *s)
{
    s->trust = trust_new();
    for (size_t i = 0; i < s->config->listen.trusted_proxy.count; i++)
        if (trust_add(s->trust, s->config->listen.trusted_proxy.item[i]) < 0)
            return complain("--trusted-proxy", s->config->listen.trusted_proxy.item[i]);
    for (size_t i = 0; i < s->config->fields.drop.count; i++)
        if (trust_drop_field(s->trust, s->config->fields.drop.item[i]) < 0)
            return complain("--drop-field", "too many");
    for (size_t i = 0; i < s->config->fields.forward.count; i++)
        if (trust_forward_field(s->trust, s->config->fields.forward.item[i]) < 0)
            return complain("--forward-field", "too many");
    return 0;
}

static int open_tls(struct server *s)
{
    char reason[TLS_REASON_MAX];
    s->handshakes = commons_new(s->config->limits.handshakes, gate_evict);
    if (!s->config->listen.cert)
        return 0;
    s->tls = tls_server_new(s->config->listen.cert, s->config->listen.key, reason);
    return s->tls ? 0 : complain("TLS", reason);
}

static int open_state(struct server *s)
{
    char reason[REASON_MAX];
    const char *dir = s->config->names.state_dir;
    if (state_prepare(dir) < 0)
        return complain(dir, strerror(errno));
    s->keyring = keyring_open(dir, reason, sizeof reason);
    if (!s->keyring || state_node(dir, s->node, reason, sizeof reason) < 0)
        return complain("--state-dir", reason);
    return 0;
}

/* ---- workers */

/* Gives the names of the names file to the workers in turn. */
struct deal {
    struct server *server;
    unsigned next; /* names dealt so far */
};

static void deal_name(const struct held_name *h, void *user)
{
    struct deal *d = user;
    registry_adopt(d->server->workers[d->next++ % d->server->n_workers]->registry, h);
}

static int open_names(struct server *s, struct names_file *f)
{
    char path[REASON_MAX];
    struct deal deal = {.server = s};
    if (names_file_load(f, deal_name, &deal) == 0 && names_file_write(f) == 0)
        return 0;
    snprintf(path, sizeof path, "%s/%s", s->config->names.state_dir, STATE_NAMES);
    return complain(path, strerror(errno));
}

static int listen_at(struct server *s, const char *address, int *fds)
{
    char reason[LISTENER_REASON_MAX];
    if (listener_bind(address, fds, s->n_workers, reason) < 0)
        return complain(address, reason);
    for (unsigned i = 0; i < s->n_workers; i++)
        listener_start(s->workers[i], fds[i]);
    listener_announce(fds[0]);
    return 0;
}

static int start_listening(struct server *s)
{
    const struct opt_list *addresses = &s->config->listen.addresses;
    int *fds = xcalloc(s->n_workers, sizeof *fds);
    int status = 0;
    for (size_t i = 0; i < addresses->count && status == 0; i++)
        status = listen_at(s, addresses->item[i], fds);
    free(fds);
    return status;
}

/* Runs worker 0 on the calling thread, which alone gets signals, and each other worker on a thread
 * of its own. Returns when all workers have ended: 0, or EXIT_INTERNAL when a thread did not
 * start. */
static int run_workers(struct server *s)
{
    struct drain *drain = drain_new(s);
    sigset_t all, before;
    unsigned started = 1;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    s->running = s->n_workers;
    while (started < s->n_workers && worker_start(s->workers[started], crew_run) == 0)
        started++;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (started < s->n_workers) {
        LOG(ERROR, "threads_not_started", LOG_U("started", started), LOG_U("wanted", s->n_workers));
        drain_stop_now(drain);
        s->running = started;
    }
    drain_watch_signals(drain);
    struct reload *reload = reload_new(s->workers[0]);
    crew_run(s->workers[0]);
    reload_free(reload);
    for (unsigned i = 1; i < started; i++)
        worker_join(s->workers[i]);
    for (unsigned i = 0; i < s->n_workers; i++)
        mailbox_deliver(s->workers[i]->mailbox); /* orders that came after its loop had ended */
    drain_free(drain);
    return started == s->n_workers ? 0 : EXIT_INTERNAL;
}

/* Holds a message that tells worker 0 to write the names file soon. */
struct due {
    struct mail mail;
    struct names_file *file; /* borrowed: freed after all mailboxes are empty */
};

static void deliver_due(struct mail *m, void *reader)
{
    struct due *d = CONTAINER_OF(m, struct due, mail);
    names_file_write_soon(d->file);
    free(d);
}

/* Posts a message to worker 0, which alone touches the names file, that the file must be written.
 * Runs on the thread of any worker. */
static void on_names_change(void *user)
{
    struct server *s = user;
    struct due *d = xcalloc(1, sizeof *d);
    d->mail.deliver = deliver_due;
    d->file = s->names_file;
    mailbox_post(s->workers[0]->mailbox, &d->mail);
}

static int serve(struct server *s)
{
    s->directory = directory_new(s->config->limits.tunnels, on_names_change, s);
    int status = crew_open(s) < 0 ? complain("worker", strerror(errno)) : 0;
    if (status == 0) {
        s->names_file =
            names_file_new(s->workers[0]->loop, s->config->names.state_dir, s->directory);
        status = open_names(s, s->names_file);
    }
    if (status == 0)
        status = start_listening(s);
    if (status == 0) {
        raise_descriptor_limit(s->config);
        status = run_workers(s);
    }
    names_file_free(s->names_file);
    crew_close(s);
    directory_free(s->directory);
    return status;
}

static void server_close(struct server *s)
{
    tls_free(s->tls);
    quota_free(s->quota);
    commons_free(s->handshakes);
    trust_free(s->trust);
    keyring_free(s->keyring);
    log_file_close(s->access_log);
}

static int run(const struct config *c)
{
    struct server s = {.config = c, .started_us = clock_now_us()};
    s.quota = quota_new((uint64_t)arc4random() << 32 | arc4random(), c->limits.register_rate);
    budget_init(&s.budget, c->limits.memory);
    int status = open_log(c);
    if (status == 0)
        status = open_access_log(&s);
    if (status == 0)
        status = open_trust(&s);
    if (status == 0)
        status = open_tls(&s);
    if (status == 0)
        status = open_state(&s);
    if (status == 0)
        status = serve(&s);
    server_close(&s);
    log_close();
    return status;
}

int main(int argc, char **argv)
{
    static struct config config; /* static, so that leak checkers find its pointers */
    int status = EXIT_USAGE;
    alloc_tune();
    signal(SIGPIPE, SIG_IGN);
    reload_hold_signals();
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
