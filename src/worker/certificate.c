/* SPDX-License-Identifier: MIT */
/* certificate.c - see certificate.h. */
#include "src/worker/certificate.h"

#include <stdio.h>

#include "h2mux/base/clock.h"
#include "h2mux/base/log.h"
#include "src/worker/certificate_files.h"

enum { DAY_S = 86400, NAME_MAX_BYTES = 256 + 2 };

/* ---- reading */

/* Logs the pairs from @from on that could not be used, as @event. Returns the number of others. */
static size_t note_faults(const struct certificate_files *f, size_t from, const char *event)
{
    size_t good = 0;
    for (size_t i = from; i < f->count; i++)
        if (f->pair[i].reason[0])
            LOG(ERROR, event, LOG_STR("reason", f->pair[i].reason));
        else
            good++;
    return good;
}

struct tls *certificate_open(const struct config *c, char reason[static TLS_REASON_MAX])
{
    struct certificate_files f;
    if (certificate_files_list(&f, c, reason) < 0)
        return NULL;
    struct tls *t = tls_server_new(f.pair, f.count);
    note_faults(&f, f.first_of_dir, "certificate_not_loaded");
    for (size_t i = 0; i < f.first_of_dir && t; i++)
        if (f.pair[i].reason[0]) {
            snprintf(reason, TLS_REASON_MAX, "%s", f.pair[i].reason);
            tls_free(t);
            t = NULL;
        }
    certificate_files_free(&f);
    if (t && c->listen.client_ca &&
        tls_server_ask(t, c->listen.client_ca, slice_str(c->domain), reason) < 0) {
        tls_free(t);
        t = NULL;
    }
    return t;
}

void certificate_reload(const struct server *s)
{
    const struct config *c = s->config;
    struct certificate_files f;
    char reason[TLS_REASON_MAX];
    if (certificate_files_list(&f, c, reason) < 0) {
        LOG(ERROR, "certificate_not_reloaded", LOG_STR("reason", reason));
        return;
    }
    tls_server_reload(s->tls, f.pair, f.count);
    size_t read = note_faults(&f, 0, "certificate_not_reloaded");
    if (read > 0)
        LOG(INFO, "certificate_reloaded", LOG_STR("cert", f.pair[0].cert_file),
            LOG_U("certificates", read));
    certificate_files_free(&f);
}

/* ---- looking */

static int64_t days_between(int64_t from_s, int64_t until_s)
{
    int64_t left_s = until_s - from_s;
    return left_s >= 0 ? left_s / DAY_S : -((DAY_S - 1 - left_s) / DAY_S);
}

static void note_lack(const char *cert, const char *name)
{
    LOG(WARN, "certificate_lacks_name", LOG_STR("cert", cert), LOG_STR("name", name));
}

static void look_at_names(const struct server *s)
{
    const struct config *c = s->config;
    const char *where = c->listen.certs.count > 0 ? c->listen.certs.item[0] : c->listen.cert_dir;
    char wildcard[NAME_MAX_BYTES];
    if (!tls_server_covers(s->tls, slice_str(c->domain)))
        note_lack(where, c->domain);
    snprintf(wildcard, sizeof wildcard, "*.%s", c->domain);
    if (!tls_server_covers(s->tls, slice_str(wildcard)))
        note_lack(where, wildcard);
}

static void look_at_times(const struct tls_certificate *one)
{
    int64_t now_s = clock_wall_s();
    const char *cert = one->cert_file;
    char at[CLOCK_ISO_MAX];
    clock_iso(one->not_after_s, at);
    if (now_s > one->not_after_s)
        LOG(ERROR, "certificate_expired", LOG_STR("cert", cert), LOG_STR("end", at));
    else if (one->not_after_s - now_s <= (int64_t)CERTIFICATE_WARN_DAYS * DAY_S)
        LOG(WARN, "certificate_expires_soon", LOG_STR("cert", cert), LOG_STR("end", at),
            LOG_I("days_left", days_between(now_s, one->not_after_s)));
    clock_iso(one->not_before_s, at);
    if (now_s < one->not_before_s)
        LOG(ERROR, "certificate_not_yet_valid", LOG_STR("cert", cert), LOG_STR("begin", at));
}

static void look_at(const struct tls_certificate *one, void *config)
{
    char name[NAME_MAX_BYTES];
    look_at_times(one);
    if (certificate_files_name(config, one->cert_file, name, sizeof name) &&
        !tls_certificate_covers(one, slice_str(name)))
        note_lack(one->cert_file, name);
    if (tls_key_exposed(one->key_file))
        LOG(WARN, "tls_key_readable", LOG_STR("key", one->key_file));
}

void certificate_look(const struct server *s)
{
    if (!s->tls || !tls_server_ready(s->tls)) {
        LOG(INFO, "no_certificate",
            LOG_STR("effect", "clients cannot attach directly, only through a front end with TLS"));
        return;
    }
    look_at_names(s);
    tls_server_each(s->tls, look_at, (void *)(uintptr_t)s->config); /* it only reads */
}

static void add_up(const struct tls_certificate *one, void *user)
{
    struct certificate_sum *sum = user;
    int64_t days = days_between(clock_wall_s(), one->not_after_s);
    if (sum->count == 0 || days < sum->days_left)
        sum->days_left = days;
    sum->count++;
}

struct certificate_sum certificate_sum(const struct server *s)
{
    struct certificate_sum sum = {.count = 0};
    if (s->tls)
        tls_server_each(s->tls, add_up, &sum);
    return sum;
}
