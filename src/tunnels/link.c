/* SPDX-License-Identifier: MIT */
/* link.c - joins a client's session to its tunnel, opens streams, and ends the link; see link.h. */
#include "src/tunnels/link.h"

#include <assert.h>
#include <stdlib.h>

#include "h2mux/base/check.h"
#include "h2mux/base/clock.h"
#include "h2mux/base/log.h"
#include "src/names/tokens.h"
#include "src/tunnels/policing.h"
#include "src/tunnels/registry.h"

enum {
    PING_TIMEOUT_MS = 10000,
    REPLACED_PROBE_MS = 2000,
    BUFFER_LIMIT = 32 * 1024 * 1024,
    LINK_MEMORY = 32 * 1024, /* of a session and its TLS, without bodies */
    RESERVED_PERCENT = 5,    /* of the streams of a link: not for WebSockets */
    DEBUG_MAX = 64           /* bytes of a GOAWAY's debug data that the log shows */
};

/* The number of RST_STREAM frames that a link may send at once, and the number a second after that.
 * The HTTP/2 libraries of other clients end a session that sends more than 1,000 at once or 33 a
 * second (fact G3); oneport allows 100,000 and 10,000. */
enum { RESET_BURST = 900, RESET_RATE = 30, RESET_BURST_OURS = 50000, RESET_RATE_OURS = 5000 };

static const struct h2_session_ops session_ops;
static const struct backend_ops link_backend;
static void run_wake(void *user);

/* Checks the invariants that hold while no function of this file runs. */
static void link_check(const struct link *l)
{
    const struct backend *b = &l->backend;
    bool alive = l->state != LINK_DEAD;
    worker_check(l->worker);
    CHECK_THAT(alive == list_linked(&l->in_worker));
    CHECK_THAT(alive == !!l->session);
    CHECK_THAT(alive || !list_linked(&l->wake.node));
    CHECK_THAT(b->up == (l->state == LINK_UP));
    CHECK_THAT(!b->tunnel || l->state == LINK_UP || l->state == LINK_DRAINING);
    CHECK_THAT(list_linked(&b->in_tunnel) == !!b->tunnel);
    CHECK_THAT(!alive || l->websockets <= h2_session_open_streams(l->session));
}

/* Lets requests for the name wait for the link (rule O83): its client may tell the URL as soon as
 * it has the 101, and a viewer may be here before the client's SETTINGS. From now on the name is
 * that of a ticket. */
static void announce(const struct link *l)
{
    struct old_claim none = {.state = OLD_NONE};
    struct tunnel *t = registry_find(l->worker->registry, slice_str(l->name));
    if (!t || !owner_eq(t->owner_id, l->owner_id))
        return;
    registry_note_old(l->worker->registry, t, &none);
    tunnel_expect(t, l->worker->server->config->timeouts.attach_ms);
}

/* Returns whether the token of the link is good, with what it permits in @g. */
static bool look(const struct link *l, struct token_grant *g)
{
    struct tokens *tokens = l->worker->server->tokens;
    return tokens_look(tokens, slice_str(l->token), clock_wall_s(), g) == TOKEN_GOOD;
}

struct link *link_new(struct worker *w, struct sock *sock, const struct ticket *t,
                      const struct place *p)
{
    const struct config *c = w->server->config;
    bool ours = p->instance.len > 0; /* no other client names its instance */
    uint64_t quiet_ms = c->timeouts.keepalive_ms;
    struct link *l = xcalloc(1, sizeof *l);
    snprintf(l->name, sizeof l->name, "%s", t->name);
    const struct tunnel *known = registry_find(w->registry, slice_str(l->name));
    struct h2_options o = {
        .keepalive_ms = quiet_ms,
        .ping_timeout_ms = quiet_ms > 0 && quiet_ms < PING_TIMEOUT_MS ? quiet_ms : PING_TIMEOUT_MS,
        .settings_timeout_ms = c->timeouts.attach_ms,
        .buffer_limit = BUFFER_LIMIT,
        .evictor = &w->evictor,
        .stall_ms = c->timeouts.stall_ms,
        .line_rate = c->limits.line_rate / 8,
        .congestion = w->server->congestion,
        .learned = known ? lines_find(&known->lines, p) : (struct line_rate){0},
        .reset_burst = ours ? RESET_BURST_OURS : RESET_BURST,
        .reset_rate = ours ? RESET_RATE_OURS : RESET_RATE,
    };
    struct token_grant g;
    l->worker = w;
    backend_init(&l->backend, &link_backend, p, loop_now_us(w->loop));
    memcpy(l->owner_id, t->owner, OWNER_LEN);
    memcpy(l->token, t->tok, sizeof l->token);
    memcpy(l->policy, t->pol, sizeof l->policy);
    l->rev = t->rev;
    l->streams_max = look(l, &g) ? g.streams : 0; /* another verdict was given at attach */
    l->viewers = shares_new(c->limits.streams);
    task_init(&l->wake, run_wake, l);
    list_push(&w->links, &l->in_worker);
    struct who who = who_of_peer(w->server->trust, sock_peer(sock));
    commons_hold(w->server->descriptors, w, &who, &l->descriptor);
    stat_add(&w->stats.links_open, 1);
    budget_add_fixed(&w->evictor.share, LINK_MEMORY);
    sock_watch_peer(sock, 0); /* PINGs notice it sooner */
    l->session = h2_session_new(w->loop, sock, H2_OPENER, &o, &session_ops, l);
    announce(l);
    if (CHECKING)
        link_check(l);
    return l;
}

static void enter(struct link *l, enum link_state s)
{
    l->state = s;
    l->backend.up = s == LINK_UP;
}

static void link_free(void *object)
{
    struct link *l = object;
    shares_free(l->viewers);
    free(l);
}

static void leave(struct link *l)
{
    if (l->backend.tunnel)
        tunnel_leave(l->backend.tunnel, &l->backend, l->goodbye);
}

/* Enters DEAD: leaves the tunnel, and lets the loop free the link later. The session has ended or
 * was closed, and calls no callback any more. */
static void forget(struct link *l)
{
    if (l->state == LINK_DEAD)
        return;
    enter(l, LINK_DEAD);
    commons_give(l->worker->server->descriptors, &l->descriptor);
    l->session = NULL;
    task_cancel(&l->wake);
    leave(l);
    list_remove(&l->in_worker);
    stat_add(&l->worker->stats.links_open, -1);
    budget_add_fixed(&l->worker->evictor.share, -(int64_t)LINK_MEMORY);
    evictor_changed(&l->worker->evictor);
    if (CHECKING)
        link_check(l);
    loop_reap(l->worker->loop, &l->reap, link_free, l);
}

void link_wake(struct link *l)
{
    h2_session_probe(l->session, PING_TIMEOUT_MS);
}

void link_close(struct link *l, uint32_t h2_code)
{
    if (l->state == LINK_DEAD)
        return;
    struct h2_session *session = l->session;
    enter(l, LINK_DRAINING); /* so that requests whose streams break now do not retry here */
    h2_session_close(session, h2_code);
    forget(l);
}

/* ---- what the session tells */

/* Claims the link's name again, since the name may have gone while the client was attaching, or
 * another owner may have got it. A name that has gone is claimed as at attach. Returns its tunnel,
 * with the policy of its token in force, or NULL when the name is lost. */
static struct tunnel *claim(struct link *l)
{
    struct registry *r = l->worker->registry;
    struct tunnel *t = NULL;
    struct token_grant g;
    unsigned retry_after;
    bool good = look(l, &g), gone = !registry_find(r, slice_str(l->name));
    struct claim how = {.asked = true, .returning = true, .attaches = gone, .rev = l->rev};
    how.token = gone && g.id[0] ? &g : NULL;
    good = good && registry_claim(r, slice_str(l->name), l->owner_id, &how, &t, &retry_after) == 0;
    return good && policing_force(l->worker, t) ? t : NULL;
}

static void turn_away(struct link *l, struct slice debug)
{
    uint64_t suppressed;
    if (worker_may_log(l->worker, WORKER_LINK_TOO_LATE, &suppressed))
        LOG(WARN, "link_too_late", LOG_STR("name", l->name), LOG_U("slot", l->backend.slot),
            LOG_S("reason", debug), LOG_U("suppressed", suppressed));
    h2_session_goaway(l->session, debug);
    link_close(l, 0);
}

void link_revoke(struct link *l)
{
    h2_session_goaway(l->session, SLICE("name_lost"));
    link_close(l, 0);
}

static void log_up(struct link *l)
{
    char peer[INET6_ADDRSTRLEN + 8];
    uint64_t suppressed;
    sock_address_text(sock_peer(h2_session_sock(l->session)), true, peer, sizeof peer);
    if (worker_may_log(l->worker, WORKER_LINK_UP, &suppressed))
        LOG(INFO, "link_up", LOG_STR("name", l->name), LOG_STR("peer", peer),
            LOG_U("slot", l->backend.slot), LOG_U("worker", l->worker->index),
            LOG_U("suppressed", suppressed));
}

static void on_up(void *user)
{
    struct link *l = user;
    struct tunnel *t = claim(l);
    if (!t) {
        turn_away(l, SLICE("name_lost"));
        return;
    }
    if (!policing_is(t, l->policy)) { /* the client is told why when it attaches again */
        turn_away(l, SLICE("policy"));
        return;
    }
    if (tunnel_has_ousted(t, &l->backend)) {
        turn_away(l, SLICE("taken_over"));
        return;
    }
    log_up(l);
    enter(l, LINK_UP);
    l->up_us = loop_now_us(l->worker->loop);
    tunnel_join(t, &l->backend, l->up_us);
    if (CHECKING)
        link_check(l);
}

static void close_if_idle(struct link *l)
{
    if (l->session && h2_session_open_streams(l->session) == 0)
        link_close(l, 0);
}

/* Leaves the tunnel, because the client has sent a GOAWAY and takes no new streams. Open streams
 * may finish. */
static void on_goaway(void *user, struct slice debug)
{
    struct link *l = user;
    uint64_t suppressed;
    if (l->state == LINK_UP && worker_may_log(l->worker, WORKER_CLIENT_LEAVES, &suppressed))
        LOG(INFO, "client_leaves", LOG_STR("name", l->name), LOG_U("slot", l->backend.slot),
            LOG_S("debug", slice_make(debug.ptr, debug.len < DEBUG_MAX ? debug.len : DEBUG_MAX)),
            LOG_U("streams", h2_session_open_streams(l->session)), LOG_U("suppressed", suppressed));
    if (l->state == LINK_UP)
        l->goodbye = true; /* a GOAWAY that answers ours is no goodbye */
    enter(l, LINK_DRAINING);
    leave(l);
    if (CHECKING)
        link_check(l);
}

static void run_wake(void *user)
{
    struct link *l = user;
    if (l->backend.tunnel && l->backend.tunnel->queue.n > 0)
        tunnel_wake(l->backend.tunnel);
}

/* Wakes the tunnel in the next turn of the loop, because a stream of the session has closed.
 * link_done does not wake the tunnel, since an exchange may end long before its stream closes. */
static void on_room(void *user)
{
    struct link *l = user;
    if (CHECKING)
        link_check(l);
    loop_defer(l->worker->loop, &l->wake);
}

static void on_idle(void *user)
{
    struct link *l = user;
    if (l->state == LINK_DRAINING || l->backend.replaced)
        link_close(l, 0);
}

static void on_learned(void *user, const struct line_rate *learned)
{
    struct link *l = user;
    struct place p = backend_place(&l->backend);
    if (l->backend.tunnel)
        lines_keep(&l->backend.tunnel->lines, &p, learned);
}

static void on_closed(void *user, int err, const char *reason)
{
    struct link *l = user;
    bool as_announced = l->goodbye && err == ERR_EOF && h2_session_lost_streams(l->session) == 0;
    uint64_t suppressed;
    if (!as_announced && /* or else the log has client_leaves already */
        worker_may_log(l->worker, WORKER_LINK_LOST, &suppressed))
        LOG(INFO, "link_lost", LOG_STR("name", l->name),
            LOG_U("inflight", h2_session_lost_streams(l->session)), LOG_STR("error", err_text(err)),
            LOG_STR("reason", reason), LOG_U("suppressed", suppressed));
    if (err == ERR_ABUSE && worker_may_log(l->worker, WORKER_TUNNEL_ABUSE, &suppressed))
        LOG(WARN, "tunnel_abuse", LOG_STR("name", l->name), LOG_STR("kind", reason),
            LOG_U("suppressed", suppressed));
    forget(l);
}

static void on_evicted(void *user, uint64_t stalled_ms, uint64_t bytes)
{
    struct link *l = user;
    worker_note_evicted(l->worker, l->name, stalled_ms, bytes);
}

static const struct h2_session_ops session_ops = {
    .on_up = on_up,
    .on_goaway = on_goaway,
    .on_room = on_room,
    .on_idle = on_idle,
    .on_evicted = on_evicted,
    .on_learned = on_learned,
    .on_closed = on_closed,
};

/* ---- streams */

static struct link *link_of(struct backend *b)
{
    assert(b->ops == &link_backend);
    return CONTAINER_OF(b, struct link, backend);
}

static const struct link *const_link_of(const struct backend *b)
{
    assert(b->ops == &link_backend);
    return CONST_CONTAINER_OF(b, struct link, backend);
}

static uint64_t stream_limit(const struct link *l)
{
    uint64_t limit = l->worker->server->config->limits.streams;
    uint32_t peer = h2_session_peer_limit(l->session);
    if (l->streams_max > 0 && l->streams_max < limit)
        limit = l->streams_max;
    return peer < limit ? peer : limit;
}

static bool link_admit(struct backend *b, const struct who *who, struct share *place)
{
    struct link *l = link_of(b);
    struct share *victim;
    uint64_t limit = stream_limit(l);
    shares_resize(l->viewers, limit > 0 ? limit : 1); /* the client may change it */
    return shares_take(l->viewers, who, place, &victim);
}

static void link_dismiss(struct backend *b, struct share *place)
{
    shares_give(link_of(b)->viewers, place);
}

/* Returns whether the limits of the client and of the server allow one more stream of @kind.
 * RESERVED_PERCENT of the streams are kept for plain requests, so that open WebSockets cannot shut
 * plain requests out. */
static bool has_room(const struct link *l, enum stream_kind kind)
{
    uint64_t limit = stream_limit(l);
    if (h2_session_open_streams(l->session) >= limit)
        return false;
    return kind != STREAM_WEBSOCKET || l->websockets < limit - limit * RESERVED_PERCENT / 100;
}

static enum fitness link_fitness(const struct backend *b, enum stream_kind kind)
{
    const struct link *l = const_link_of(b);
    if (!b->up || b->replaced || !h2_session_can_open(l->session))
        return FITNESS_NONE;
    if (kind == STREAM_WEBSOCKET && !h2_session_takes_websockets(l->session))
        return FITNESS_NO_WEBSOCKETS;
    return has_room(l, kind) ? FITNESS_ROOM : FITNESS_FULL;
}

static uint32_t link_load(const struct backend *b)
{
    const struct link *l = const_link_of(b);
    return l->session ? h2_session_open_streams(l->session) : 0;
}

/* Tells the client, if it asks, with which stream a request belongs together (rule F92). */
static struct leg *link_open(struct backend *b, struct message *m, bool end, struct leg *beside,
                             const struct leg_events *events, void *exchange)
{
    struct link *l = link_of(b);
    if (beside && b->asks_party)
        fields_add_printf(&m->fields, SLICE("oneport-party"), "%u", h2_leg_party(beside));
    struct leg *leg = h2_stream_open(l->session, m, end, events, exchange);
    if (beside)
        fields_remove(&m->fields, SLICE("oneport-party")); /* it may go by another link next */
    if (!leg)
        return NULL;
    h2_leg_join(leg, beside);
    if (message_is_websocket(m)) {
        l->websockets++;
        leg_hint(leg, LEG_INTERACTIVE);
    }
    if (h2_session_ids_low(l->session))
        link_drain(l);
    if (CHECKING)
        link_check(l);
    return leg;
}

static void link_done(struct backend *b, enum stream_kind kind)
{
    struct link *l = link_of(b);
    l->websockets -= kind == STREAM_WEBSOCKET;
    if (CHECKING)
        link_check(l);
}

static uint64_t link_probe(struct backend *b, uint64_t quiet_ms, uint64_t ms)
{
    struct link *l = link_of(b);
    uint64_t quiet_us = loop_now_us(l->worker->loop) - h2_session_last_rx_us(l->session);
    if (quiet_us < quiet_ms * 1000)
        return quiet_ms - quiet_us / 1000;
    h2_session_probe(l->session, ms);
    return 0;
}

/* ---- given up by the tunnel */

static void replace(struct link *l)
{
    if (l->state == LINK_DEAD || l->backend.replaced)
        return;
    l->backend.replaced = true;
    if (l->state == LINK_UP)
        h2_session_probe(l->session, REPLACED_PROBE_MS);
    close_if_idle(l);
}

static void drain_with(struct link *l, struct slice debug)
{
    if (l->state == LINK_DEAD)
        return;
    enter(l, LINK_DRAINING);
    h2_session_goaway(l->session, debug);
    if (l->backend.tunnel)
        tunnel_wake(l->backend.tunnel); /* without another link the tunnel is GRACED now */
    close_if_idle(l);
    if (CHECKING)
        link_check(l);
}

static void link_retire(struct backend *b, enum retire_reason why)
{
    struct link *l = link_of(b);
    uint64_t suppressed;
    switch (why) {
    case RETIRE_REPLACED:
        replace(l);
        break;
    case RETIRE_TAKEN_OVER:
        if (worker_may_log(l->worker, WORKER_TAKEN_OVER, &suppressed))
            LOG(WARN, "taken_over", LOG_STR("name", l->name), LOG_U("slot", b->slot),
                LOG_U("suppressed", suppressed));
        drain_with(l, SLICE("taken_over"));
        break;
    case RETIRE_DRAINING:
        drain_with(l, SLICE("draining"));
        break;
    }
}

void link_drain(struct link *l)
{
    drain_with(l, SLICE("draining"));
}

static void link_close_backend(struct backend *b, uint32_t h2_code)
{
    link_close(link_of(b), h2_code);
}

static const struct backend_ops link_backend = {
    .fitness = link_fitness,
    .admit = link_admit,
    .dismiss = link_dismiss,
    .load = link_load,
    .open = link_open,
    .done = link_done,
    .probe = link_probe,
    .retire = link_retire,
    .close = link_close_backend,
};
