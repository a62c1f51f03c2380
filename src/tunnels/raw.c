/* SPDX-License-Identifier: MIT */
/* raw.c - joins the sockets of an old client to the tunnel of their name, and gives them to
 * exchanges; see raw.h. */
#include "src/tunnels/raw_int.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "h2mux/base/log.h"
#include "src/names/tokens.h"
#include "src/tunnels/registry.h"

enum {
    RESERVED_PERCENT = 5,         /* of the sockets: not for WebSockets */
    NO_PROBE_MS = 60 * 60 * 1000, /* an old client gives no signs of life */
    BY_FIN = false,
    BY_RST = true
};

static const struct backend_ops raw_backend;

static void raw_check(const struct raw *r)
{
    size_t sum = list_count(&r->idle) + list_count(&r->busy) + list_count(&r->worn);
    worker_check(r->worker);
    CHECK_THAT(r->count == sum && r->websockets <= r->count);
    CHECK_THAT(r->over != list_linked(&r->in_worker));
    CHECK_THAT(!r->over || (r->count == 0 && !r->backend.tunnel));
    CHECK_THAT(r->over || r->draining || r->count > 0 || r->heal.health != RAW_WELL);
}

static struct raw *raw_of(struct backend *b)
{
    assert(b->ops == &raw_backend);
    return CONTAINER_OF(b, struct raw, backend);
}

static const struct raw *const_raw_of(const struct backend *b)
{
    assert(b->ops == &raw_backend);
    return CONST_CONTAINER_OF(b, struct raw, backend);
}

/* ---- life */

static void run_wake(void *user)
{
    struct raw *r = user;
    if (r->backend.tunnel)
        tunnel_wake(r->backend.tunnel);
}

void raw_wake(struct raw *r)
{
    if (!r->over)
        loop_defer(r->worker->loop, &r->wake);
}

static void raw_free(void *object)
{
    struct raw *r = object;
    shares_free(r->viewers);
    free(r);
}

static void end(struct raw *r)
{
    uint64_t suppressed;
    if (worker_may_log(r->worker, WORKER_LINK_LOST, &suppressed))
        LOG(INFO, "old_client_lost", LOG_STR("name", r->name), LOG_U("suppressed", suppressed));
    r->over = true;
    r->backend.up = false;
    timer_stop(&r->heal.timer);
    task_cancel(&r->wake);
    if (r->backend.tunnel)
        tunnel_leave(r->backend.tunnel, &r->backend, false);
    list_remove(&r->in_worker);
    if (CHECKING)
        raw_check(r);
    loop_reap(r->worker->loop, &r->reap, raw_free, r);
}

void raw_check_over(struct raw *r)
{
    bool awaited = r->heal.health == RAW_AWAITED && !r->draining;
    if (!r->over && r->count == 0 && !awaited)
        end(r);
}

static struct raw *raw_new(struct worker *w, struct slice name)
{
    struct raw *r = xcalloc(1, sizeof *r);
    struct place alone = {.pool = true};
    backend_init(&r->backend, &raw_backend, &alone, loop_now_us(w->loop));
    r->backend.up = true;
    r->worker = w;
    snprintf(r->name, sizeof r->name, "%.*s", SLICE_FMT(name));
    list_init(&r->idle);
    list_init(&r->busy);
    list_init(&r->worn);
    r->viewers = shares_new(1);
    raw_heal_init(r);
    task_init(&r->wake, run_wake, r);
    list_push(&w->raws, &r->in_worker);
    return r;
}

/* ---- sockets */

static struct raw *find_raw(const struct tunnel *t)
{
    LIST_FOREACH (node, &t->backends) {
        struct backend *b = CONTAINER_OF(node, struct backend, in_tunnel);
        if (b->ops == &raw_backend)
            return raw_of(b);
    }
    return NULL;
}

/* Fills @from with the address that stands for the client at @peer. Returns false when it is not
 * known, since a trusted peer carries the connections of others too. */
static bool identify(const struct peer *peer, struct address *from)
{
    return !peer->trusted && address_parse(slice_str(peer->address), from) == 0;
}

/* Returns why @from may not serve @t, or NULL. */
static const char *judge(const struct worker *w, const struct sock *sock, const struct tunnel *t,
                         struct slice name, const struct peer *peer)
{
    struct address from;
    if (strcmp(w->server->config->old.served, "leap") != 0)
        return "--old-clients is off";
    if (w->server->tokens && !tokens_permit_leap(w->server->tokens, name))
        return "only who has a token may share this name";
    if (w->server->draining)
        return "this server stops";
    if (!sock_is_tls(sock))
        return "no TLS";
    if (!identify(peer, &from))
        return "its address is not known";
    if (bans_of_sharing(w->server->bans, name, &from, loop_now_us(w->loop)) > 0)
        return "the operator has shut it out";
    if (!t)
        return "no such name";
    if (t->old.state == OLD_NONE)
        return "the name is that of a ticket";
    return address_eq(&t->old.from, &from) ? NULL : "another address has registered the name";
}

/* Makes room for a newcomer of a client that has as many sockets as it may have. The oldest is
 * closed by FIN, so that the client does not open it again. */
static bool make_room(struct raw *r)
{
    if (r->count < config_leap_connections(r->worker->server->config))
        return true;
    struct list_node *oldest = list_empty(&r->worn) ? r->idle.next : r->worn.next;
    if (oldest == &r->idle)
        return false;
    raw_socket_close(CONTAINER_OF(oldest, struct raw_socket, node), BY_FIN);
    return true;
}

static void log_up(const struct raw *r, const struct sock *sock)
{
    char peer[INET6_ADDRSTRLEN + 8];
    uint64_t suppressed;
    sock_address_text(sock_peer(sock), true, peer, sizeof peer);
    if (worker_may_log(r->worker, WORKER_LINK_UP, &suppressed))
        LOG(INFO, "old_client_up", LOG_STR("name", r->name), LOG_STR("peer", peer),
            LOG_U("worker", r->worker->index), LOG_U("suppressed", suppressed));
}

/* Joins the tunnel @t with the first socket. From now on no link may attach to it. */
static void join(struct raw *r, struct tunnel *t, const struct sock *sock)
{
    struct worker *w = r->worker;
    struct old_claim served = {OLD_SERVED, t->old.from};
    registry_note_old(w->registry, t, &served);
    log_up(r, sock);
    tunnel_join(t, &r->backend, loop_now_us(w->loop));
}

const char *raw_join(struct worker *w, struct sock *sock, struct slice name,
                     const struct peer *peer)
{
    struct tunnel *t = registry_find(w->registry, name);
    const char *why = judge(w, sock, t, name, peer);
    if (why)
        return why;
    struct raw *r = find_raw(t);
    if (r && !make_room(r))
        return "all its sockets are busy";
    if (!r || r->over)
        r = raw_new(w, name);
    if (!raw_socket_new(r, sock, peer)) {
        raw_check_over(r);
        return "no descriptor is left for it";
    }
    raw_heal_joined(r);
    if (!r->backend.tunnel)
        join(r, t, sock);
    raw_wake(r);
    if (CHECKING)
        raw_check(r);
    return NULL;
}

/* ---- the backend */

static bool has_room(const struct raw *r, enum stream_kind kind)
{
    size_t reserved = r->count * RESERVED_PERCENT / 100;
    if (reserved == 0 && r->count > 1)
        reserved = 1;
    return !list_empty(&r->idle) &&
           (kind != STREAM_WEBSOCKET || r->websockets + reserved < r->count);
}

static enum fitness raw_fitness(const struct backend *b, enum stream_kind kind)
{
    const struct raw *r = const_raw_of(b);
    if (!b->up)
        return FITNESS_NONE;
    if (r->heal.health == RAW_DOWN && list_empty(&r->idle))
        return FITNESS_NO_SERVICE;
    return has_room(r, kind) ? FITNESS_ROOM : FITNESS_FULL;
}

static bool raw_admit(struct backend *b, const struct who *who, struct share *place)
{
    struct raw *r = raw_of(b);
    struct share *victim;
    shares_resize(r->viewers, r->count > 0 ? r->count : 1);
    return shares_take(r->viewers, who, place, &victim);
}

static void raw_dismiss(struct backend *b, struct share *place)
{
    shares_give(raw_of(b)->viewers, place);
}

static uint32_t raw_load(const struct backend *b)
{
    return (uint32_t)list_count(&const_raw_of(b)->busy);
}

/* Takes the socket that came last, of which it is likeliest that its service is there. */
static struct leg *raw_open(struct backend *b, struct message *m, bool end, struct leg *beside,
                            const struct leg_events *events, void *exchange)
{
    struct raw *r = raw_of(b);
    if (list_empty(&r->idle))
        return NULL;
    struct raw_socket *s = CONTAINER_OF(r->idle.prev, struct raw_socket, node);
    struct leg *leg = raw_socket_ask(s, m, end, events, exchange);
    if (CHECKING)
        raw_check(r);
    return leg;
}

/* Settles the sockets that exchanges have given up since the last call. */
static void raw_done(struct backend *b, enum stream_kind kind)
{
    struct raw *r = raw_of(b);
    LIST_FOREACH (node, &r->busy) {
        struct raw_socket *s = CONTAINER_OF(node, struct raw_socket, node);
        if (!s->leg.events && !s->left)
            raw_socket_settle(s);
    }
}

static uint64_t raw_probe(struct backend *b, uint64_t quiet_ms, uint64_t ms)
{
    return NO_PROBE_MS;
}

/* ---- the end */

/* Serves no more. The sockets stay for now: a client that finds nobody gives its sockets up. */
static void drain(struct raw *r)
{
    r->draining = true;
    r->backend.up = false;
    timer_stop(&r->heal.timer);
    if (r->backend.tunnel)
        tunnel_wake(r->backend.tunnel);
    raw_check_over(r);
}

static void close_all(struct list_node *sockets)
{
    while (!list_empty(sockets))
        raw_socket_close(CONTAINER_OF(sockets->next, struct raw_socket, node), BY_RST);
}

static void stop(struct raw *r)
{
    r->draining = true;
    r->backend.up = false;
    close_all(&r->idle);
    close_all(&r->worn);
    close_all(&r->busy);
    raw_check_over(r);
}

static void raw_retire(struct backend *b, enum retire_reason why)
{
    drain(raw_of(b));
}

static void raw_close(struct backend *b, uint32_t h2_code)
{
    stop(raw_of(b));
}

void raw_drain(struct list_node *node)
{
    drain(CONTAINER_OF(node, struct raw, in_worker));
}

void raw_stop(struct list_node *node)
{
    stop(CONTAINER_OF(node, struct raw, in_worker));
}

size_t raw_shut_out(struct worker *w, const struct ban *ban)
{
    size_t ended = 0;
    LIST_FOREACH (node, &w->raws) {
        struct raw *r = CONTAINER_OF(node, struct raw, in_worker);
        const struct tunnel *t = r->backend.tunnel;
        if (!t || !ban_is_of(ban, slice_str(r->name), &t->old.from, true))
            continue;
        stop(r);
        ended++;
    }
    return ended;
}

void raw_revoke(struct worker *w)
{
    LIST_FOREACH (node, &w->raws) {
        struct raw *r = CONTAINER_OF(node, struct raw, in_worker);
        if (!tokens_permit_leap(w->server->tokens, slice_str(r->name)))
            stop(r);
    }
}

static const struct backend_ops raw_backend = {
    .fitness = raw_fitness,
    .admit = raw_admit,
    .dismiss = raw_dismiss,
    .load = raw_load,
    .open = raw_open,
    .done = raw_done,
    .probe = raw_probe,
    .retire = raw_retire,
    .close = raw_close,
};
