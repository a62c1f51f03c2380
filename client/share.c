/* SPDX-License-Identifier: MIT */
/* share.c - see share.h. */
#include "client/share.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "client/origin/presence.h"
#include "client/server/tickets.h"
#include "h2mux/base/clock.h"
#include "h2mux/base/log.h"
#include "h2mux/h2/evict.h"
#include "h2mux/io/congestion.h"

enum {
    LOOK_S = 60,                     /* the clock is looked at this often */
    BUFFER_LIMIT = 32 * 1024 * 1024, /* of a link: http-rules.md#memory */
    PING_TIMEOUT_MS = 10 * 1000,
    PATIENCE_MS = 15 * 1000 /* with a first connection: a server may be starting */
};

struct share {
    struct share_options o;
    size_t finishing; /* connections to the origin that no exchange has any more */
    struct tls *server_tls, *origin_tls;
    struct tls *origin_h2_tls; /* of an https+h2 origin: origin_tls is for its WebSockets */
    struct origin *origin;
    struct channels *channels; /* NULL: the origin speaks HTTP/1.1 */
    struct exchange_list *exchanges;
    struct health *health; /* NULL: not asked for */
    struct call_env env;
    struct kept kept;
    struct tunnel *tunnel;
    struct timer over; /* armed if the tunnel ends by itself */
    char *ticket_file; /* owned */
    char *origin_text; /* owned: the origin with its scheme */
    char *name;        /* owned: what is asked for; NULL: any */
};

/* ---- what its parts tell */

static void on_exit_code(void *user, enum exit_code code)
{
    struct share *s = user;
    s->o.on_exit(s->o.user, code);
}

static void on_url(void *user, const char *url)
{
    struct share *s = user;
    const struct config *c = s->o.config;
    struct url parsed;
    bool own =
        url_parse(slice_str(url), &parsed) == 0 &&
        (reach_covers(&s->env.reach, &c->server, &parsed) ||
         (c->remote.domain && slice_ieq(slice_str(parsed.host), slice_str(c->remote.domain))) ||
         (url_is_loopback(&c->server) && url_is_loopback(&parsed)));
    s->o.on_url(s->o.user, url, own);
}

static void on_finished(void *user, const struct exchange_report *r)
{
    struct share *s = user;
    s->o.on_finished(s->o.user, r);
}

static void on_quiet(void *user)
{
    struct share *s = user;
    client_tunnel_quiet(s->tunnel);
}

/* ---- its parts */

/* Warns of options that have no effect. They are not refused, since the environment may hold them
 * for other shares. */
static void tell_unused(const struct config *c)
{
    if (!c->origin.url.https && (c->local.cert || c->local.key || c->local.ca || c->local.name))
        LOG(WARN, "local_tls_options_unused", LOG_STR("origin", c->origin.text),
            LOG_STR("want", "https://HOST[:PORT]"));
}

/* Says what will not work from the start, as long as nobody has tried it. */
static void tell_origin(const struct config *c)
{
    if (c->words.path[0])
        LOG(WARN, "path_left_out", LOG_STR("path", c->words.path),
            LOG_STR("origin", c->origin.text),
            LOG_STR("advice", "the whole service is shared: put the path behind the URL"));
    if (presence_of(&c->origin) == PRESENCE_NOBODY)
        LOG(WARN, "nothing_listens", LOG_STR("origin", c->origin.text),
            LOG_STR("advice", "start your service there; until then viewers get 502"));
}

static void tell_insecure(const struct config *c)
{
    if (c->remote.any_cert && c->server.https)
        LOG(WARN, "server_not_verified", LOG_STR("server", c->server.authority),
            LOG_STR("advice", "whoever is on the way can read and change everything, and take the "
                              "name: name the server's authority with --ca FILE instead"));
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

static bool make_tls(struct share *s)
{
    const struct config *c = s->o.config;
    struct tls_client_options server = {
        .ca_file = c->remote.ca,
        .ca_beside = true,
        .insecure = c->remote.any_cert,
        .cert_file = c->remote.cert,
        .key_file = c->remote.key,
        .resumes = true,
    };
    struct tls_client_options origin = {
        .ca_file = c->local.ca,
        .cert_file = c->local.cert,
        .key_file = c->local.key,
        .insecure = c->local.any_cert,
        .old = c->local.any_cert,
        .resumes = true,
    };
    char reason[TLS_REASON_MAX];
    tell_unused(c);
    tell_origin(c);
    tell_insecure(c);
    tell_proxy(c);
    tell_exposed(c);
    s->server_tls = tls_client_new(&server, reason);
    if (s->server_tls && c->origin.url.https)
        s->origin_tls = tls_client_new(&origin, reason);
    origin.h2 = true;
    if (s->origin_tls && c->origin.h2)
        s->origin_h2_tls = tls_client_new(&origin, reason);
    if (s->server_tls && (s->origin_tls || !c->origin.url.https) &&
        (s->origin_h2_tls || !s->origin_tls || !c->origin.h2))
        return true;
    fprintf(stderr, "oneport: %s\n", reason);
    return false;
}

static struct channels *make_channels(struct share *s)
{
    const struct config *c = s->o.config;
    const struct channels_options o = {
        .loop = s->o.loop,
        .resolver = s->o.resolver,
        .tls = s->origin_h2_tls,
        .address = &c->origin,
        .tls_name = c->named.host[0] != '\0' ? c->named.host : NULL,
        .evictor = s->o.evictor,
        .connect_ms = c->times.connect_ms,
        .idle_ms = c->times.origin_idle_ms,
        .peer_ms = c->times.peer_ms,
        .stall_ms = c->times.stall_ms,
    };
    return c->origin.h2 ? channels_new(&o) : NULL;
}

static void make_exchanges(struct share *s)
{
    const struct config *c = s->o.config;
    struct origin_options origin = {
        .loop = s->o.loop,
        .resolver = s->o.resolver,
        .tls = s->origin_tls,
        .address = &c->origin,
        .tls_name = c->named.host[0] != '\0' ? c->named.host : NULL,
        .connect_ms = c->times.connect_ms,
        .finishing = &s->finishing,
        .idle_ms = c->times.origin_idle_ms,
        .peer_ms = c->times.peer_ms,
        .spare = s->o.spare,
        .reuse = c->reuse,
        .login = c->login,
    };
    s->origin = origin_new(&origin);
    s->channels = make_channels(s);
    struct exchange_list_options exchanges = {
        .loop = s->o.loop,
        .origin = s->origin,
        .channels = s->channels,
        .rewrite = &c->rewrite,
        .finishing = &s->finishing,
        .max = c->remote.max_streams * c->remote.links,
        .times = {.origin_ms = c->times.origin_ms,
                  .idle_ms = c->times.idle_ms,
                  .websocket_ms = c->times.websocket_ms},
        .knows_viewers = s->o.knows_viewers,
        .on_finished = on_finished,
        .on_quiet = on_quiet,
        .user = s,
    };
    s->exchanges = exchange_list_new(&exchanges);
}

/* Returns how long the server has to answer a PING: less where --keepalive asks for less. */
static uint64_t ping_timeout_ms(const struct config *c)
{
    bool sooner = c->times.keepalive_ms != 0 && c->times.keepalive_ms < PING_TIMEOUT_MS;
    return sooner ? c->times.keepalive_ms : PING_TIMEOUT_MS;
}

static struct h2_options link_options(const struct share *s)
{
    const struct config *c = s->o.config;
    return (struct h2_options){
        .max_streams = (uint32_t)c->remote.max_streams,
        .keepalive_ms = c->times.keepalive_ms,
        .ping_timeout_ms = ping_timeout_ms(c),
        .settings_timeout_ms = c->times.server_ms,
        .buffer_limit = BUFFER_LIMIT,
        .evictor = s->o.evictor,
        .line_rate = c->remote.line_rate / 8,
        .congestion = congestion_choose(c->remote.congestion),
        .stall_ms = c->times.stall_ms,
        .party_field = SLICE("oneport-party"),
    };
}

static bool make_tunnel(struct share *s)
{
    const struct config *c = s->o.config;
    s->ticket_file =
        c->remote.ticket_file ? xstrdup(c->remote.ticket_file) : tickets_default_path();
    s->origin_text = xasprintf("%s://%s", origin_address_scheme(&c->origin), c->origin.text);
    s->name = c->remote.name ? xstrdup(c->remote.name) : NULL;
    if (s->name)
        ascii_lower(s->name, strlen(s->name)); /* names have no case, so tickets have none */
    s->env = (struct call_env){
        .loop = s->o.loop,
        .resolver = s->o.resolver,
        .tls = s->server_tls,
        .timeout_ms = c->times.server_ms,
        .reach = {.hosts = &c->remote.attach_hosts},
        .kept = &s->kept,
        .proxy = c->proxy,
        .token = c->token,
        .domain = c->remote.domain,
        .policy = c->policy_text,
    };
    struct tunnel_options tunnel = {
        .env = &s->env,
        .exchanges = s->exchanges,
        .server = &c->server,
        .name = s->name,
        .origin = s->origin_text,
        .ticket_file = s->ticket_file,
        .links = (unsigned)c->remote.links,
        .h2 = link_options(s),
        .patience = {.max_retries = c->remote.max_retries,
                     .first_ms = c->retries_from == OPT_FALLBACK ? PATIENCE_MS : 0},
        .leave_ms = c->times.leave_ms,
        .on_url = on_url,
        .on_exit = on_exit_code,
        .user = s,
    };
    s->tunnel = client_tunnel_new(&tunnel);
    if (!s->tunnel)
        fprintf(stderr, "oneport: cannot start: %s\n", strerror(errno));
    return s->tunnel;
}

/* ---- its end */

static void arm_over(struct share *s)
{
    int64_t left_s = s->o.config->until_s - clock_wall_s();
    if (s->o.config->until_s > 0)
        timer_arm(&s->over, left_s > 0 ? (uint64_t)(left_s < LOOK_S ? left_s : LOOK_S) * 1000 : 0);
}

/* Ends the tunnel when its time is over by the wall clock, which the server reads too; the machine
 * may have slept. */
static void run_over(void *user)
{
    struct share *s = user;
    if (clock_wall_s() < s->o.config->until_s) {
        arm_over(s);
        return;
    }
    LOG(INFO, "tunnel_expired", LOG_STR("reason", "the time of --expires is over"));
    client_tunnel_leave(s->tunnel);
}

/* ---- for main */

enum exit_code share_new(const struct share_options *o, struct share **out)
{
    struct share *s = xcalloc(1, sizeof *s);
    s->o = *o;
    timer_init(&s->over, o->loop, run_over, s);
    *out = s;
    if (!make_tls(s))
        return EXIT_USAGE;
    make_exchanges(s);
    return make_tunnel(s) ? EXIT_STOPPED : EXIT_INTERNAL;
}

void share_start(struct share *s)
{
    struct health_options health = {
        .loop = s->o.loop,
        .origin = s->origin,
        .channels = s->channels,
        .path = s->o.config->local.health,
    };
    if (health.path)
        s->health = health_new(&health);
    arm_over(s);
    client_tunnel_start(s->tunnel);
}

void share_leave(struct share *s)
{
    client_tunnel_leave(s->tunnel);
}

void share_wake(struct share *s)
{
    client_tunnel_wake(s->tunnel);
}

const struct exchange_list *share_exchanges(const struct share *s)
{
    return s->exchanges;
}

uint16_t share_attach_port(const struct share *s)
{
    return client_tunnel_attach_port(s->tunnel);
}

struct tunnel_look share_look(const struct share *s)
{
    return client_tunnel_look(s->tunnel);
}

struct health_look share_health(const struct share *s)
{
    return health_seen(s->health);
}

const char *share_origin(const struct share *s)
{
    return s->origin_text;
}

void share_close(struct share *s)
{
    if (!s)
        return;
    timer_stop(&s->over);
    client_tunnel_free(s->tunnel);
    exchange_list_free(s->exchanges);
    health_free(s->health);
    channels_free(s->channels);
    origin_free(s->origin);
}

void share_free(struct share *s)
{
    if (!s)
        return;
    tls_free(s->origin_h2_tls);
    tls_free(s->origin_tls);
    tls_free(s->server_tls);
    free(s->ticket_file);
    free(s->origin_text);
    free(s->name);
    free(s);
}
