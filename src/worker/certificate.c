/* SPDX-License-Identifier: MIT */
/* certificate.c - see certificate.h. */
#include "src/worker/certificate.h"

#include <stdio.h>

#include "h2mux/base/clock.h"
#include "h2mux/base/log.h"

enum { DAY_S = 86400, WILDCARD_MAX = 256 + 2 };

static int64_t days_between(int64_t from_s, int64_t until_s)
{
    int64_t left_s = until_s - from_s;
    return left_s >= 0 ? left_s / DAY_S : -((DAY_S - 1 - left_s) / DAY_S);
}

static void look_at_names(const struct tls_certificate *c, const struct config *config)
{
    char wildcard[WILDCARD_MAX];
    if (!c->covers_domain)
        LOG(WARN, "certificate_lacks_name", LOG_STR("cert", config->listen.cert),
            LOG_STR("name", config->domain));
    snprintf(wildcard, sizeof wildcard, "*.%s", config->domain);
    if (!c->covers_subdomains)
        LOG(WARN, "certificate_lacks_name", LOG_STR("cert", config->listen.cert),
            LOG_STR("name", wildcard));
}

static void look_at_times(const struct tls_certificate *c, const char *cert)
{
    int64_t now_s = clock_wall_s();
    char at[CLOCK_ISO_MAX];
    clock_iso(c->not_after_s, at);
    if (now_s > c->not_after_s)
        LOG(ERROR, "certificate_expired", LOG_STR("cert", cert), LOG_STR("end", at));
    else if (c->not_after_s - now_s <= (int64_t)CERTIFICATE_WARN_DAYS * DAY_S)
        LOG(WARN, "certificate_expires_soon", LOG_STR("cert", cert), LOG_STR("end", at),
            LOG_I("days_left", days_between(now_s, c->not_after_s)));
    clock_iso(c->not_before_s, at);
    if (now_s < c->not_before_s)
        LOG(ERROR, "certificate_not_yet_valid", LOG_STR("cert", cert), LOG_STR("begin", at));
}

void certificate_look(const struct server *s)
{
    const struct config *config = s->config;
    struct tls_certificate c;
    if (!s->tls) {
        LOG(INFO, "no_certificate",
            LOG_STR("effect", "clients cannot attach directly, only through a front end with TLS"));
        return;
    }
    tls_server_certificate(s->tls, config->domain, &c);
    look_at_names(&c, config);
    look_at_times(&c, config->listen.cert);
    if (tls_key_exposed(config->listen.key))
        LOG(WARN, "tls_key_readable", LOG_STR("key", config->listen.key));
}

int64_t certificate_days_left(const struct server *s)
{
    struct tls_certificate c;
    tls_server_certificate(s->tls, s->config->domain, &c);
    return days_between(clock_wall_s(), c.not_after_s);
}
