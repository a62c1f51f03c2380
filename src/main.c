/* SPDX-License-Identifier: MIT */
/* main.c - starts oneportd: reads the options, opens the objects that the workers share, runs the
 * workers, and closes everything again. The table of stages has the order. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "h2mux/base/clock.h"
#include "h2mux/base/file.h"
#include "h2mux/io/congestion.h"
#include "h2mux/io/tls_gcm.h"
#include "src/account.h"
#include "src/admission.h"
#include "src/board/board.h"
#include "src/cage.h"
#include "src/check_command.h"
#include "src/command.h"
#include "src/crew.h"
#include "src/drain.h"
#include "src/edge/entry.h"
#include "src/edge/gate.h"
#include "src/edge/leap.h"
#include "src/heritage.h"
#include "src/http/pages.h"
#include "src/limits/bans.h"
#include "src/limits/quota.h"
#include "src/names/directory.h"
#include "src/names/names_file.h"
#include "src/names/store.h"
#include "src/reload.h"
#include "src/sockets.h"
#include "src/stage.h"
#include "src/tunnels/queue.h"
#include "src/tunnels/registry.h"
#include "src/tunnels/sign_in.h"
#include "src/watchdog.h"
#include "src/worker/certificate.h"
#include "src/worker/commons.h"
#include "src/worker/config.h"
#include "src/worker/helper.h"
#include "src/worker/mailbox.h"
#include "src/worker/worker.h"

enum { EXIT_USAGE = 1, EXIT_INTERNAL = 70, REASON_MAX = 512 };

struct program {
    struct server server;
    struct drain *drain;       /* owned */
    struct watchdog *watchdog; /* owned */
    struct sockets sockets;
    struct board *board; /* owned; NULL: none */
};

static struct server *server_of(void *program)
{
    return &((struct program *)program)->server;
}

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
            LOG_U("wanted", 2 * c->limits.streams),
            LOG_STR("advice",
                    "each viewer needs one, and viewers beyond that wait: raise the limit "
                    "(LimitNOFILE, ulimit -Hn), or lower --max-streams"));
}

static int open_log(void *program)
{
    const struct config *c = server_of(program)->config;
    enum log_level level = LOG_INFO;
    if (!log_level_parse(slice_str(c->log.level), &level) ||
        log_open(NULL, level, strcmp(c->log.format, "json") == 0) < 0)
        return complain("--log-level", "not a level");
    config_log_foreign();
    cage_harden(c);
    return 0;
}

static void close_log(void *program)
{
    log_close();
}

static int open_access_log(void *program)
{
    struct server *s = server_of(program);
    const char *path = s->config->log.access;
    if (strcmp(path, "off") == 0)
        return 0;
    s->access_log = log_file_open(path);
    return s->access_log ? 0 : complain(path, strerror(errno));
}

static void close_access_log(void *program)
{
    log_file_close(server_of(program)->access_log);
}

static int open_trust(void *program)
{
    struct server *s = server_of(program);
    s->trust = trust_new();
    for (size_t i = 0; i < s->config->listen.trusted_proxy.count; i++)
        if (trust_add(s->trust, s->config->listen.trusted_proxy.item[i]) < 0)
            return complain("--trusted-proxy", s->config->listen.trusted_proxy.item[i]);
    if (s->config->listen.accept_proxy.count > 0)
        s->front_ends = trust_new_empty();
    for (size_t i = 0; i < s->config->listen.accept_proxy.count; i++)
        if (trust_add(s->front_ends, s->config->listen.accept_proxy.item[i]) < 0)
            return complain("--accept-proxy", s->config->listen.accept_proxy.item[i]);
    for (size_t i = 0; i < s->config->fields.drop.count; i++)
        if (trust_drop_field(s->trust, s->config->fields.drop.item[i]) < 0)
            return complain("--drop-field", "too many");
    for (size_t i = 0; i < s->config->fields.forward.count; i++)
        if (trust_forward_field(s->trust, s->config->fields.forward.item[i]) < 0)
            return complain("--forward-field", "too many");
    return 0;
}

static void close_trust(void *program)
{
    trust_free(server_of(program)->trust);
    trust_free(server_of(program)->front_ends);
}

static int open_pages(void *program)
{
    struct server *s = server_of(program);
    char reason[PAGES_REASON_MAX];
    if (!s->config->urls.pages)
        return 0;
    s->pages = pages_load(s->config->urls.pages, reason);
    return s->pages ? 0 : complain("--pages", reason);
}

static void close_pages(void *program)
{
    pages_free(server_of(program)->pages);
}

static int open_limits(void *program)
{
    struct server *s = server_of(program);
    s->quota =
        quota_new((uint64_t)arc4random() << 32 | arc4random(), s->config->limits.register_rate);
    s->bans = s->config->admin.listen ? bans_new() : NULL;
    s->handshakes = commons_new(s->config->limits.handshakes, 1, gate_evict);
    s->holds = queue_holds_new();
    s->sign_ins = sign_in_pool_new();
    s->leaps = commons_new(LEAPS_MAX, 1, leap_evict);
    s->names = registry_names_new(NAMES_MAX);
    budget_init(&s->budget, s->config->limits.memory);
    raise_descriptor_limit(s->config);
    return 0;
}

static void close_limits(void *program)
{
    struct server *s = server_of(program);
    entry_close(s);
    commons_free(s->leaps);
    commons_free(s->names);
    commons_free(s->holds);
    commons_free(s->sign_ins);
    commons_free(s->handshakes);
    bans_free(s->bans);
    quota_free(s->quota);
}

static int open_tls(void *program)
{
    struct server *s = server_of(program);
    char reason[TLS_REASON_MAX];
    if (!config_has_tls(s->config))
        return 0;
    if (strcmp(s->config->crypto, "openssl") == 0)
        tls_gcm_forbid();
    s->tls = certificate_open(s->config, reason);
    return s->tls ? 0 : complain("TLS", reason);
}

static void close_tls(void *program)
{
    tls_free(server_of(program)->tls);
}

static int open_store(void *program)
{
    struct server *s = server_of(program);
    char reason[REASON_MAX];
    s->store = store_open(s->config->names.state_dir, reason, sizeof reason);
    if (!s->store)
        return complain("--state-dir", reason);
    s->keyring = s->store->keyring;
    memcpy(s->node, s->store->node, sizeof s->node);
    return 0;
}

static void close_store(void *program)
{
    store_free(server_of(program)->store);
}

static int open_directory(void *program)
{
    struct server *s = server_of(program);
    char reason[TOKENS_REASON_MAX];
    s->directory = directory_new(s->config->limits.tunnels, NULL, NULL);
    reserve_set_limit(directory_reserve(s->directory), s->config->names.reserve_ms / 1000);
    return admission_open(s, reason) < 0 ? complain("--tokens", reason) : 0;
}

static void close_directory(void *program)
{
    admission_close(server_of(program));
    directory_free(server_of(program)->directory);
}

/* Becomes the user that serves. What follows is done with that user's rights. */
static int open_account(void *program)
{
    const struct config *c = server_of(program)->config;
    char reason[ACCOUNT_REASON_MAX];
    struct account a;
    int err = account_choose(&a, c, reason);
    if (err == 0)
        err = account_become(&a, c, reason);
    account_deinit(&a);
    return err < 0 ? complain(c->user ? "--user" : "the owner of --state-dir", reason) : 0;
}

static int open_cage(void *program)
{
    char reason[SANDBOX_REASON_MAX];
    return cage_enter(server_of(program)->config, reason) < 0 ? complain("--sandbox", reason) : 0;
}

/* ---- workers */

static int open_crew(void *program)
{
    struct server *s = server_of(program);
    s->congestion = congestion_choose(s->config->limits.congestion);
    return crew_open(s) < 0 ? complain("worker", strerror(errno)) : 0;
}

static void close_crew(void *program)
{
    crew_close(server_of(program));
}

static int open_drain(void *program)
{
    struct program *p = program;
    p->drain = drain_new(&p->server);
    return 0;
}

static void close_drain(void *program)
{
    struct program *p = program;
    drain_free(p->drain);
}

static int open_watchdog(void *program)
{
    struct program *p = program;
    p->watchdog = watchdog_new(&p->server);
    return 0;
}

static void close_watchdog(void *program)
{
    struct program *p = program;
    watchdog_free(p->watchdog);
}

/* ---- the names file */

static int open_names(void *program)
{
    char what[REASON_MAX];
    const char *why = NULL;
    int err = heritage_open(server_of(program), what, sizeof what, &why);
    if (err == 0)
        return 0;
    complain(what, why);
    return err == ERR_LIMIT ? EXIT_INTERNAL : EXIT_USAGE;
}

static void close_names(void *program)
{
    heritage_close(server_of(program));
}

/* ---- serving */

static int open_sockets(void *program)
{
    struct program *p = program;
    const struct config *c = p->server.config;
    char reason[BINDING_REASON_MAX];
    const char *failed = sockets_open(&p->sockets, c, crew_size(c), reason);
    return failed ? complain(failed, reason) : 0;
}

/* Binds the board's address and reads its token, which may be root's. */
static int open_board(void *program)
{
    struct program *p = program;
    char reason[BOARD_REASON_MAX];
    if (!p->server.config->admin.listen)
        return 0;
    p->board = board_new(&p->server.config->admin, reason);
    return p->board ? 0 : complain("--admin", reason);
}

static void close_board(void *program)
{
    board_free(((struct program *)program)->board);
}

static void close_sockets(void *program)
{
    sockets_close(&((struct program *)program)->sockets);
}

/* The thread is there before the first viewer. */
static int open_helper(void *program)
{
    struct server *s = server_of(program);
    s->helper = helper_new();
    return helper_start(s->helper) < 0 ? complain("helper", "no thread") : 0;
}

/* Letters that come back now find no exchange any more. */
static void close_helper(void *program)
{
    helper_free(server_of(program)->helper);
}

static int open_listeners(void *program)
{
    struct program *p = program;
    sockets_listen(&p->sockets, &p->server);
    if (p->board)
        board_start(p->board, p->server.workers[0]);
    return 0;
}

/* Frees the listeners and all other objects on the workers, and leaves no letter behind that names
 * what the stages before own. */
static void settle(void *program)
{
    crew_settle(server_of(program));
}

/* Starts the threads of the workers but worker 0. Returns how many workers may run then, with
 * worker 0. When a thread does not start, tells all workers to stop at once. */
static unsigned start_threads(struct program *p)
{
    struct server *s = &p->server;
    unsigned started = 1;
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before); /* worker 0 alone gets signals */
    s->running = s->n_workers;
    while (started < s->n_workers && worker_start(s->workers[started], crew_run) == 0)
        started++;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (started == s->n_workers)
        return started;
    LOG(ERROR, "threads_not_started", LOG_U("started", started), LOG_U("wanted", s->n_workers));
    atomic_fetch_sub(&s->running, s->n_workers - started);
    drain_stop_now(p->drain);
    return started;
}

/* Runs worker 0 on the calling thread, and each other worker on a thread of its own. Returns when
 * all workers have ended: 0, or EXIT_INTERNAL when a thread did not start. */
static int serve(void *program)
{
    struct program *p = program;
    struct server *s = &p->server;
    certificate_look(s);
    unsigned started = start_threads(p);
    drain_watch_signals(p->drain);
    struct reload *reload = reload_new(s->workers[0]);
    notify_tell(&s->notify, "READY=1");
    crew_run(s->workers[0]);
    reload_free(reload);
    for (unsigned i = 1; i < started; i++)
        worker_join(s->workers[i]);
    return started == s->n_workers ? 0 : EXIT_INTERNAL;
}

static const struct stage stages[] = {
    {open_log, close_log},
    {open_trust, close_trust},
    {open_pages, close_pages},
    {open_limits, close_limits},
    {open_tls, close_tls},
    {open_sockets, close_sockets},
    {open_board, close_board},
    {open_account, NULL}, /* root has done what only root can do */
    {open_access_log, close_access_log},
    {open_store, close_store},
    {open_directory, close_directory},
    {open_crew, close_crew},
    {open_drain, close_drain},       /* letters name it */
    {open_watchdog, close_watchdog}, /* its letter names it */
    {open_cage, NULL},               /* before the first thread */
    {open_names, close_names},       /* letters name it */
    {open_helper, close_helper},
    {open_listeners, settle},
    {serve, NULL},
};

static int run(const struct config *c)
{
    struct program p = {.server = {.config = c, .started_us = clock_now_us()}};
    int status = stage_run(stages, sizeof stages / sizeof *stages, &p);
    config_free_newer(p.server.config, c);
    return status;
}

int main(int argc, char **argv)
{
    static struct config config;
    int status = EXIT_USAGE;
    if (file_ensure_standard() < 0)
        return EXIT_INTERNAL;
    alloc_tune();
    signal(SIGPIPE, SIG_IGN);
    reload_hold_signals();
    int command = command_run(argc, argv);
    if (command != COMMAND_NONE)
        return command;
    switch (config_parse(argc, argv, &config)) {
    case OPT_RUN:
        status = config.check ? check_command_run(&config) : run(&config);
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
