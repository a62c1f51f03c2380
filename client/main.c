/* SPDX-License-Identifier: MIT */
/* main.c - oneport, the client: builds the parts, runs the loop, takes the parts down.
 *
 * SIGINT and SIGTERM leave in order; a second one ends at once. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "client/audience.h"
#include "client/cage.h"
#include "client/config.h"
#include "client/login_command.h"
#include "client/opener.h"
#include "client/share.h"
#include "client/terminal.h"
#include "h2mux/base/check.h"
#include "h2mux/base/file.h"
#include "h2mux/base/log.h"
#include "h2mux/base/notify.h"
#include "h2mux/h2/evict.h"
#include "h2mux/io/sleep_watch.h"
#include "h2mux/io/tls_gcm.h"

enum {
    SPARE_DESCRIPTORS = 4, /* and one a link: dials of the server, the resolver's files */
    LAST_WORDS_MS = 1500,  /* sockets that are finishing end by themselves in less */
    LAST_WORDS_POLL_MS = 5
};

/* A seat is what the program knows of one share. */
struct seat {
    struct program *program;
    const struct config *config;
    struct share *share;
    char *url; /* owned: under which viewers are served; NULL: none yet */
    bool up;   /* a link has been up */
    bool over; /* it does nothing more */
};

struct program {
    struct config_set configs; /* at least one */
    struct notify notify;      /* the supervisor that started the process */
    struct loop *loop;
    struct budget budget; /* what uploads hold */
    struct evictor evictor;
    struct resolver *resolver;
    struct sandbox *sandbox; /* owned */
    bool caged;              /* the sandbox was entered */
    struct terminal_options terminal_options;
    struct terminal *terminal;
    struct audience audience;
    struct seat *seats; /* owned: one for each of `configs` */
    size_t n_over;      /* seats that are over */
    struct event sigint, sigterm;
    struct sleep_watch sleep;
    struct timer last_words;
    uint64_t ended_us;
    bool made; /* all shares are */
    bool leaving, over;
    enum exit_code code;
};

#define FOREACH_SEAT(s, p)                                                                         \
    for (struct seat *s = (p)->seats; s < (p)->seats + (p)->configs.count; s++)

static enum exit_code complain(const char *what, const char *reason)
{
    fprintf(stderr, "oneport: %s: %s\n", what, reason);
    return EXIT_USAGE;
}

/* ---- signals and the end */

static void stop(struct program *p)
{
    p->over = true;
    loop_stop(p->loop);
}

/* Enters the sandbox when each share that is left has had a link: then its ports are known. */
static void enter_cage(struct program *p)
{
    char reason[SANDBOX_REASON_MAX];
    for (size_t i = 0; i < p->configs.count; i++)
        if (!p->seats[i].up && !p->seats[i].over)
            return;
    if (p->caged || p->over)
        return;
    p->caged = true;
    if (cage_enter(p->sandbox, &p->configs, p->resolver, reason) == 0)
        return;
    complain("--sandbox", reason);
    p->code = EXIT_INTERNAL;
    stop(p);
}

/* The program ends with its last share, by the exit code of the first one that has failed. */
static void on_exit_code(void *user, enum exit_code code)
{
    struct seat *s = user;
    struct program *p = s->program;
    s->over = true;
    p->n_over++;
    if (p->code == EXIT_STOPPED)
        p->code = code;
    if (s->config->tunnel)
        LOG(INFO, "tunnel_ended", LOG_STR("tunnel", s->config->tunnel), LOG_I("code", code),
            LOG_U("left", p->configs.count - p->n_over));
    if (p->n_over == p->configs.count)
        stop(p);
    enter_cage(p);
}

static void on_signal(evutil_socket_t number, short what, void *user)
{
    struct program *p = user;
    size_t exchanges = 0, websockets = 0;
    if (p->leaving) {
        p->code = EXIT_STOPPED;
        stop(p);
        return;
    }
    p->leaving = true;
    notify_tell(&p->notify, "STOPPING=1");
    FOREACH_SEAT (s, p) {
        exchanges += exchange_list_ordinary(share_exchanges(s->share));
        websockets += exchange_list_websockets(share_exchanges(s->share));
    }
    LOG(INFO, "leaving", LOG_I("signal", number), LOG_U("exchanges", exchanges),
        LOG_U("websockets", websockets));
    FOREACH_SEAT (s, p)
        share_leave(s->share);
}

static void on_url(void *user, const char *url, bool own)
{
    struct seat *s = user;
    struct terminal_url u = {.tunnel = s->config->tunnel,
                             .url = url,
                             .file = s->config->output.url_file,
                             .own = own,
                             .keys = &s->config->keys};
    free(s->url);
    s->url = xstrdup(url);
    terminal_show_url(s->program->terminal, &u);
    notify_tell(&s->program->notify, "READY=1");
    if (s->up)
        return;
    s->up = true;
    sandbox_allow_port(s->program->sandbox, share_attach_port(s->share));
    enter_cage(s->program);
}

static void on_finished(void *user, const struct exchange_report *r)
{
    const struct seat *s = user;
    struct program *p = s->program;
    audience_note(&p->audience, r->viewer, loop_now_us(p->loop));
    if (p->terminal)
        terminal_show_request(p->terminal, s->config->tunnel, r->method, r->path, r->status, r->ms,
                              r->bytes);
}

/* ---- what the terminal looks at */

static void note_viewer(void *user, uint64_t viewer)
{
    struct program *p = user;
    audience_note(&p->audience, viewer, loop_now_us(p->loop));
}

static enum screen_state state_of(const struct tunnel_look *look)
{
    return look->leaving           ? SCREEN_LEAVING
           : look->slots.links > 0 ? SCREEN_UP
           : look->told            ? SCREEN_RETRYING
                                   : SCREEN_CONNECTING;
}

static struct screen_share look_at(const struct seat *s)
{
    struct tunnel_look look = share_look(s->share);
    return (struct screen_share){
        .tunnel = s->config->tunnel,
        .url = s->url,
        .origin = share_origin(s->share),
        .app = share_health(s->share),
        .own_host = exchange_list_learned_host(share_exchanges(s->share)),
        .state = state_of(&look),
        .links = look.slots.links,
        .round_trip_us = look.slots.round_trip_us,
        .retry_ms = look.slots.pause_ms > 0 ? look.slots.pause_ms : look.retry_ms,
    };
}

static void on_look(void *user, struct screen *screen)
{
    struct program *p = user;
    screen->n_shares = screen->running = screen->websockets = 0;
    if (!p->made)
        return;
    FOREACH_SEAT (s, p) {
        const struct exchange_list *exchanges = share_exchanges(s->share);
        exchange_list_viewers(exchanges, note_viewer, p);
        screen->running += exchange_list_ordinary(exchanges);
        screen->websockets += exchange_list_websockets(exchanges);
        if (screen->n_shares < SCREEN_SHARES)
            screen->share[screen->n_shares] = look_at(s);
        screen->n_shares++;
    }
    screen->viewers = audience_count(&p->audience, loop_now_us(p->loop));
}

/* ---- signals of the machine */

static void on_wake(void *user, uint64_t slept_ms)
{
    struct program *p = user;
    LOG(INFO, "machine_has_slept", LOG_U("ms", slept_ms));
    FOREACH_SEAT (s, p)
        share_wake(s->share);
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
static void raise_descriptors(const struct config_set *set)
{
    struct rlimit limit;
    uint64_t streams = 0;
    for (size_t i = 0; i < set->count; i++)
        streams += set->each[i].remote.links * set->each[i].remote.max_streams;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur < streams)
        LOG(WARN, "few_descriptors", LOG_U("limit", limit.rlim_cur), LOG_U("max_streams", streams),
            LOG_STR("advice",
                    "each request and each WebSocket needs one, so no more run at a time: "
                    "raise the limit (ulimit -Hn, LimitNOFILE), or lower --max-streams"));
}

static bool make_base(struct program *p)
{
    const struct config *c = &p->configs.each[0]; /* what is for the process is in all the same */
    p->loop = loop_new();
    p->resolver = p->loop ? resolver_new(p->loop) : NULL;
    p->terminal_options.loop = p->loop;
    p->terminal = p->resolver ? terminal_new(&p->terminal_options) : NULL;
    if (p->terminal) {
        budget_init(&p->budget, c->memory_budget);
        evictor_init(&p->evictor, &p->budget, p->loop);
        return true;
    }
    complain("cannot start", strerror(errno));
    return false;
}

/* Makes all shares. Returns 0, or the exit code of the one that fails. */
static enum exit_code make_shares(struct program *p)
{
    unsigned spare = SPARE_DESCRIPTORS;
    enum exit_code code = EXIT_STOPPED;
    p->seats = xcalloc(p->configs.count, sizeof *p->seats);
    for (size_t i = 0; i < p->configs.count; i++)
        spare += (unsigned)p->configs.each[i].remote.links;
    for (size_t i = 0; i < p->configs.count && code == EXIT_STOPPED; i++) {
        struct seat *s = &p->seats[i];
        *s = (struct seat){.program = p, .config = &p->configs.each[i]};
        struct share_options o = {
            .config = s->config,
            .loop = p->loop,
            .resolver = p->resolver,
            .evictor = &p->evictor,
            .spare = spare,
            .knows_viewers = live_possible(),
            .on_url = on_url,
            .on_finished = on_finished,
            .on_exit = on_exit_code,
            .user = s,
        };
        code = share_new(&o, &s->share);
    }
    return code;
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
    size_t seats = p->seats ? p->configs.count : 0;
    sleep_watch_stop(&p->sleep);
    terminal_free(p->terminal); /* looks at the shares */
    p->terminal = NULL;
    for (size_t i = 0; i < seats; i++)
        share_close(p->seats[i].share);
    if (p->evictor.loop)
        evictor_deinit(&p->evictor);
    resolver_free(p->resolver);
    sandbox_free(p->sandbox);
    if (p->over) {
        event_del(&p->sigint);
        event_del(&p->sigterm);
        hear_last_words(p);
        if (CHECKING)
            loop_bare_check(p->loop);
    }
    loop_free(p->loop);
    for (size_t i = 0; i < seats; i++) {
        share_free(p->seats[i].share);
        free(p->seats[i].url);
    }
    free(p->seats);
    notify_close(&p->notify);
    log_close();
}

static enum exit_code run(struct program *p)
{
    if (strcmp(p->configs.each[0].crypto, "openssl") == 0)
        tls_gcm_forbid();
    char reason[SANDBOX_REASON_MAX];
    p->sandbox = cage_new(&p->configs, reason);
    if (!p->sandbox)
        return complain("--sandbox", reason);
    if (!make_base(p))
        return EXIT_INTERNAL;
    raise_descriptors(&p->configs);
    enum exit_code code = make_shares(p);
    if (code != EXIT_STOPPED)
        return code;
    p->made = true;
    watch_signals(p);
    sleep_watch_start(&p->sleep, p->loop, on_wake, p);
    FOREACH_SEAT (s, p)
        share_start(s->share);
    loop_run(p->loop);
    return p->code;
}

/* Fills @set: for `oneport start`, or for the one service that the command line names. */
static enum opt_result load(int argc, char **argv, struct config_set *set)
{
    if (argc > 1 && strcmp(argv[1], "start") == 0)
        return config_load_start(argc - 1, argv + 1, set);
    *set = (struct config_set){.each = xcalloc(1, sizeof *set->each), .count = 1};
    return config_load(argc, argv, &set->each[0]);
}

static void set_terminal_options(struct program *p, const struct config *c)
{
    p->terminal_options = (struct terminal_options){
        .requests = c->output.requests,
        .json = c->output.json,
        .opener = -1,
        .qr = c->output.qr,
        .all_log = c->log_level_from != OPT_FALLBACK,
        .look = on_look,
        .user = p,
    };
}

/* Returns the level of the log. Where the terminal shows the state, only warnings say more, unless
 * somebody asks for a level. */
static enum log_level level_of(const struct program *p, const struct config *c)
{
    bool quiet = !p->terminal_options.all_log && terminal_takes_log(&p->terminal_options);
    return quiet ? LOG_WARN : c->level;
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
    enum opt_result result = load(argc, argv, &program.configs);
    if (result != OPT_RUN) {
        config_set_deinit(&program.configs);
        return result == OPT_SHOWN ? EXIT_STOPPED : EXIT_USAGE;
    }
    const struct config *c = &program.configs.each[0];
    set_terminal_options(&program, c);
    if (log_open(NULL, level_of(&program, c), c->log_json) < 0)
        return (int)complain("cannot log", strerror(errno));
    config_log_foreign();
    if (c->output.open)
        program.terminal_options.opener = opener_start();
    notify_open(&program.notify);
    enum exit_code code = run(&program);
    take_down(&program);
    config_set_deinit(&program.configs);
    return (int)code;
}
