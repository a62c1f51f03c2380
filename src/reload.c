/* SPDX-License-Identifier: MIT */
/* reload.c - acts on SIGHUP and SIGUSR1; see reload.h.
 *
 * The loop of worker 0 reads the files, since they are small and a reload is rare. Other workers
 * wait for nothing but the lock under which tls.c swaps one pointer. */
#include "src/reload.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#include "h2mux/base/log.h"
#include "src/admission.h"
#include "src/names/keyring.h"
#include "src/worker/certificate.h"

enum { REASON_MAX = 512 };

struct reload {
    struct server *server;      /* borrowed: outlives this */
    const struct config *first; /* borrowed: main's */
    struct event hup, usr1;
};

static void set_signals(int how)
{
    sigset_t both;
    sigemptyset(&both);
    sigaddset(&both, SIGHUP);
    sigaddset(&both, SIGUSR1);
    pthread_sigmask(how, &both, NULL);
}

void reload_hold_signals(void)
{
    set_signals(SIG_BLOCK);
}

/* Applies what is not read through the configuration each time. */
static void apply(const struct config *c)
{
    enum log_level level;
    if (log_level_parse(slice_str(c->log.level), &level))
        log_threshold = level;
}

/* Reads the options once more. What a mistake in them leaves in place is all of them. */
static void reload_options(struct reload *r)
{
    struct server *s = r->server;
    const struct config *old = s->config;
    struct config_change change;
    struct buf why;
    buf_init(&why, REASON_MAX);
    if (config_reload(old, &change, &why) < 0) {
        char *reason = slice_dup(buf_slice(&why));
        LOG(ERROR, "options_not_reloaded", LOG_STR("reason", reason));
        free(reason);
        buf_release(&why);
        return;
    }
    if (change.now) {
        change.now->older = old == r->first ? NULL : (struct config *)(uintptr_t)old;
        s->config = change.now;
        apply(change.now);
        LOG(INFO, "options_reloaded", LOG_STR("options", change.applied));
    }
    if (change.waiting[0])
        LOG(WARN, "options_need_restart", LOG_STR("options", change.waiting));
    free(change.applied);
    free(change.waiting);
    buf_release(&why);
}

static void reload_certificate(struct server *s)
{
    if (!s->tls)
        return;
    certificate_reload(s);
    certificate_look(s);
}

static void reload_keys(struct server *s)
{
    char reason[REASON_MAX];
    if (keyring_reload(s->keyring, s->config->names.state_dir, reason, sizeof reason) < 0)
        LOG(ERROR, "keys_not_reloaded", LOG_STR("reason", reason));
    else
        LOG(INFO, "keys_reloaded", LOG_STR("dir", s->config->names.state_dir));
}

static void reopen_logs(struct server *s)
{
    if (s->access_log)
        log_file_reopen(s->access_log);
}

static void on_signal(evutil_socket_t number, short what, void *arg)
{
    struct reload *r = arg;
    if ((int)number == SIGHUP) {
        reload_options(r);
        reload_certificate(r->server);
        reload_keys(r->server);
        admission_reload(r->server);
    }
    reopen_logs(r->server);
    LOG(INFO, (int)number == SIGHUP ? "reloaded" : "logs_reopened", LOG_I("signal", number));
}

struct reload *reload_new(struct worker *w)
{
    struct reload *r = xcalloc(1, sizeof *r);
    r->server = w->server;
    r->first = w->server->config;
    evsignal_assign(&r->hup, loop_base(w->loop), SIGHUP, on_signal, r);
    evsignal_assign(&r->usr1, loop_base(w->loop), SIGUSR1, on_signal, r);
    evsignal_add(&r->hup, NULL);
    evsignal_add(&r->usr1, NULL);
    set_signals(SIG_UNBLOCK);
    return r;
}

/* Blocks both signals and frees @r. A signal that was not blocked then would end the process with
 * the wrong exit code. */
void reload_free(struct reload *r)
{
    set_signals(SIG_BLOCK);
    evsignal_del(&r->hup);
    evsignal_del(&r->usr1);
    free(r);
}
