/* SPDX-License-Identifier: MIT */
/* tunnel.c - judges who may attach to a name, picks the backend of each stream, and lets requests
 * wait for one; see tunnel.h.
 *
 * refresh() works out the state from all backends (a handful) whenever a backend comes, goes or
 * changes. Retiring or closing a backend may take that backend and others off the list before the
 * call returns. */
#include "src/tunnels/tunnel.h"

#include <assert.h>
#include <stdlib.h>

#include "h2mux/base/check.h"
#include "h2mux/base/log.h"
#include "src/worker/worker.h"

enum {
    AWAY_MAX_US = 30 * 1000000, /* after this time without a backend no request may wait */
    FLAP_WINDOW_US = 60 * 1000000,
    FLAP_PENALTY_US = 60 * 1000000,
    FLAP_MAX = 5,           /* takeovers in a window */
    ENHANCE_YOUR_CALM = 0xb /* RFC 9113 7 */
};

const char *tunnel_state_name(enum tunnel_state s)
{
    switch (s) {
    case TUNNEL_PENDING:
        return "pending";
    case TUNNEL_LIVE:
        return "live";
    case TUNNEL_GRACED:
        return "graced";
    }
    return "unknown";
}

static struct backend *backend_at(struct list_node *node)
{
    return CONTAINER_OF(node, struct backend, in_tunnel);
}

static enum fitness fitness_of(const struct backend *b, enum stream_kind kind)
{
    return b->ops->fitness(b, kind);
}

static bool takes_streams(const struct backend *b)
{
    return fitness_of(b, STREAM_REQUEST) > FITNESS_NONE;
}

static uint64_t now_of(const struct tunnel *t)
{
    return loop_now_us(t->owner->loop);
}

static void note_change(struct tunnel *t)
{
    t->owner->on_change(t->owner->user, t);
}

/* ---- checks */

static bool takes_any(const struct tunnel *t)
{
    LIST_FOREACH (node, &t->backends)
        if (takes_streams(backend_at(node)))
            return true;
    return false;
}

static bool counts_towards_limit(const struct backend *b)
{
    return b->up && !b->replaced;
}

static size_t count_links(const struct tunnel *t)
{
    size_t n = 0;
    LIST_FOREACH (node, &t->backends)
        n += counts_towards_limit(backend_at(node));
    return n;
}

static bool fits(const struct tunnel *t, enum stream_kind kind, enum fitness fitness)
{
    const struct backend *b = tunnel_pick(t, kind);
    return b && fitness_of(b, kind) == fitness;
}

static bool can_open(const struct tunnel *t, enum stream_kind kind)
{
    return fits(t, kind, FITNESS_ROOM);
}

/* Returns whether waiting requests can be told how it goes on: by a stream, or by a failure. */
static bool can_tell(const struct tunnel *t)
{
    return can_open(t, STREAM_REQUEST) || fits(t, STREAM_REQUEST, FITNESS_NO_SERVICE);
}

/* Checks the invariants that hold at all times. A tunnel may be LIVE without a backend that takes
 * streams, until its last backend has called tunnel_wake or tunnel_leave. */
static void tunnel_check(const struct tunnel *t)
{
    bool live = t->state == TUNNEL_LIVE;
    CHECK_THAT(live || !takes_any(t));
    CHECK_THAT(live != timer_armed(&t->hold.timer));
    CHECK_THAT(live == (t->hold.until_us == 0));
    CHECK_THAT(live == (t->hold.away_since_us == 0));
    CHECK_THAT(!live || t->was_live);
    queue_check(&t->queue);
    LIST_FOREACH (node, &t->backends)
        CHECK_THAT(backend_at(node)->tunnel == t);
}

/* Checks the invariants that hold when refresh() has just run. */
static void tunnel_check_fresh(const struct tunnel *t)
{
    tunnel_check(t);
    CHECK_THAT((t->state == TUNNEL_LIVE) == takes_any(t));
    CHECK_THAT(t->n_links == count_links(t));
}

/* Checks that no request waits for a stream that it could have. Only tunnel_wake may call this: a
 * stream that closes makes room a moment before its link wakes the tunnel. */
static void tunnel_check_served(const struct tunnel *t)
{
    tunnel_check_fresh(t);
    LIST_FOREACH (node, &t->queue.waiters) {
        const struct waiter *w = CONTAINER_OF(node, struct waiter, node);
        CHECK_THAT(w->held_back || !can_open(t, w->kind));
    }
}

/* ---- life */

/* Returns whether the name is random and its last client has left for good and keeps no ticket, so
 * that no client will come back to the name. */
static bool is_dispensable(const struct tunnel *t)
{
    return t->left_for_good && !t->asked && !t->keep.said && list_empty(&t->backends);
}

static void on_hold_over(void *user)
{
    struct tunnel *t = user;
    uint64_t suppressed;
    if (!is_dispensable(t) && !t->keep.said && /* or else the log has client_leaves already */
        worker_may_log(t->owner->worker, WORKER_NAME_FREE, &suppressed))
        LOG(INFO, "name_free", LOG_STR("name", t->name),
            LOG_STR("was", tunnel_state_name(t->state)), LOG_U("suppressed", suppressed));
    t->owner->on_expired(t->owner->user, t);
}

void tunnel_hold(struct tunnel *t, enum tunnel_state s, uint64_t for_ms)
{
    assert(s != TUNNEL_LIVE);
    uint64_t now_us = now_of(t);
    t->state = s;
    t->hold.until_us = now_us + for_ms * 1000;
    if (t->hold.away_since_us == 0)
        t->hold.away_since_us = now_us;
    timer_arm(&t->hold.timer, for_ms);
}

void tunnel_was_live(struct tunnel *t, uint64_t away_us)
{
    assert(t->state != TUNNEL_LIVE);
    uint64_t now_us = now_of(t);
    t->was_live = true;
    t->hold.away_since_us = now_us > away_us ? now_us - away_us : 1;
}

void tunnel_expect(struct tunnel *t, uint64_t for_ms)
{
    t->expected_until_us = now_of(t) + for_ms * 1000;
}

struct tunnel *tunnel_new(const struct tunnel_owner *owner, struct slice name,
                          const uint8_t owner_id[static OWNER_LEN], bool asked)
{
    struct tunnel *t = xcalloc(1, sizeof *t);
    assert(name.len <= NAME_MAX_LEN);
    memcpy(t->name, name.ptr, name.len);
    memcpy(t->owner_id, owner_id, OWNER_LEN);
    t->asked = asked;
    t->owner = owner;
    list_init(&t->backends);
    queue_init(&t->queue, owner->worker);
    timer_init(&t->hold.timer, owner->loop, on_hold_over, t);
    tunnel_hold(t, TUNNEL_PENDING, owner->pending_ms);
    return t;
}

void tunnel_free(struct tunnel *t)
{
    if (!t)
        return;
    timer_stop(&t->hold.timer);
    timer_stop(&t->policy_look);
    for (struct list_node *node; (node = list_pop(&t->backends));)
        backend_at(node)->tunnel = NULL;
    for (struct waiter *w; (w = queue_pop(&t->queue));)
        w->ops->on_gone(w);
    commons_give(t->owner->worker->server->names, &t->seat);
    lines_forget(&t->lines);
    free(t->domain);
    guard_drop(t->guard);
    budget_add_fixed(&t->owner->worker->evictor.share, -(int64_t)t->policy_bytes);
    free(t);
}

/* ---- state */

static void enter_live(struct tunnel *t)
{
    timer_stop(&t->hold.timer);
    t->state = TUNNEL_LIVE;
    t->hold.away_since_us = t->hold.until_us = 0;
    t->left_for_good = false;
    t->was_live = true;
    note_change(t);
}

static void enter_graced(struct tunnel *t)
{
    tunnel_hold(t, TUNNEL_GRACED, t->owner->name_grace_ms);
    note_change(t);
}

static void refresh(struct tunnel *t)
{
    bool live = takes_any(t);
    t->n_links = count_links(t);
    if (live && t->state != TUNNEL_LIVE)
        enter_live(t);
    else if (!live && t->state == TUNNEL_LIVE)
        enter_graced(t);
    if (CHECKING)
        tunnel_check_fresh(t);
}

/* ---- who may attach */

/* Returns whether @b belongs to the instance that @p names. A client that names no instance counts
 * as a new instance each time it attaches. */
static bool same_instance(const struct backend *b, const struct place *p)
{
    return p->instance.len > 0 && slice_eq(slice_str(b->instance), p->instance);
}

/* Returns whether @b and a newcomer at @p may serve the name together. */
static bool side_by_side(const struct backend *b, const struct place *p)
{
    return same_instance(b, p) || (b->pool && p->pool);
}

/* Returns a backend from which a newcomer at @p would take the name over, or NULL when there is no
 * such backend. */
static const struct backend *find_rival(const struct tunnel *t, const struct place *p)
{
    LIST_FOREACH (node, &t->backends)
        if (takes_streams(backend_at(node)) && !side_by_side(backend_at(node), p))
            return backend_at(node);
    return NULL;
}

static bool slot_taken(const struct tunnel *t, const struct place *p)
{
    LIST_FOREACH (node, &t->backends) {
        const struct backend *b = backend_at(node);
        if (counts_towards_limit(b) && same_instance(b, p) && b->slot == p->slot)
            return true;
    }
    return false;
}

static size_t recent_takeovers(const struct tunnel *t, uint64_t now_us)
{
    size_t n = 0;
    for (size_t i = 0; i < TUNNEL_TAKEOVERS && i < t->takeover.count; i++)
        n += now_us - t->takeover.at_us[i] < FLAP_WINDOW_US;
    return n;
}

static void note_takeover(struct tunnel *t, uint64_t now_us)
{
    t->takeover.at_us[t->takeover.count++ % TUNNEL_TAKEOVERS] = now_us;
}

/* Judges whether a newcomer at @p may take the name from @rival. Returns JOIN_OK; or JOIN_FLAPPING,
 * with the seconds to wait in @retry_after_s, after FLAP_MAX takeovers within a minute. From then
 * on @rival keeps the name for a minute. */
static enum join_verdict may_take_over(struct tunnel *t, const struct backend *rival,
                                       const struct place *p, uint64_t now_us,
                                       unsigned *retry_after_s)
{
    uint64_t suppressed;
    bool penalty_over = now_us >= t->takeover.flapping_until_us;
    if (penalty_over && recent_takeovers(t, now_us) < FLAP_MAX)
        return JOIN_OK;
    if (penalty_over)
        t->takeover.flapping_until_us = now_us + FLAP_PENALTY_US;
    if (penalty_over && worker_may_log(t->owner->worker, WORKER_NAME_FLAPPING, &suppressed))
        LOG(WARN, "name_flapping", LOG_STR("name", t->name),
            LOG_STR("holder", rival->instance[0] ? rival->instance : "-"),
            LOG_S("newcomer", p->instance.len > 0 ? p->instance : SLICE("-")),
            LOG_U("takeovers", t->takeover.count), LOG_U("suppressed", suppressed));
    *retry_after_s = (unsigned)((t->takeover.flapping_until_us - now_us + 999999) / 1000000);
    return JOIN_FLAPPING;
}

enum join_verdict tunnel_may_join(struct tunnel *t, const struct place *p, size_t max_links,
                                  uint64_t now_us, unsigned *retry_after_s)
{
    *retry_after_s = 0;
    refresh(t);
    const struct backend *rival = find_rival(t, p);
    if (rival)
        return may_take_over(t, rival, p, now_us, retry_after_s);
    if (slot_taken(t, p) || t->n_links < max_links)
        return JOIN_OK;
    return JOIN_TOO_MANY;
}

bool tunnel_has_ousted(const struct tunnel *t, const struct backend *b)
{
    struct place p = backend_place(b);
    return same_instance(b, &p) && slice_eq(slice_str(t->takeover.ousted), p.instance) &&
           b->begun_us <= t->takeover.ousted_us && find_rival(t, &p);
}

/* Takes the name from the backend @old, and remembers the instance that has lost the name. */
static void oust(struct tunnel *t, struct backend *old)
{
    memcpy(t->takeover.ousted, old->instance, sizeof t->takeover.ousted);
    t->takeover.ousted_us = now_of(t);
    old->ops->retire(old, RETIRE_TAKEN_OVER);
}

/* Returns whether @old must go because @b has joined. */
static bool is_in_the_way(const struct backend *old, const struct backend *b)
{
    struct place p = backend_place(b);
    if (!side_by_side(old, &p))
        return old->up;
    return same_instance(old, &p) && old->slot == b->slot && !old->replaced;
}

static struct backend *find_in_the_way(const struct tunnel *t, const struct backend *b)
{
    LIST_FOREACH (node, &t->backends)
        if (backend_at(node) != b && is_in_the_way(backend_at(node), b))
            return backend_at(node);
    return NULL;
}

/* Retires all backends that @b replaces or from which @b takes the name. Searches the list again
 * each time, since retiring one backend may take others off the list. */
static void make_way(struct tunnel *t, const struct backend *b)
{
    struct backend *old, *last = NULL;
    struct place p = backend_place(b);
    while ((old = find_in_the_way(t, b)) && old != last) {
        last = old;
        if (side_by_side(old, &p))
            old->ops->retire(old, RETIRE_REPLACED);
        else
            oust(t, old);
    }
    assert(!old);
}

static bool is_outdated(const struct backend *b)
{
    return !b->up || b->replaced;
}

/* Closes the oldest outdated backend when there are more than TUNNEL_OUTDATED_MAX of them. An
 * outdated backend gets no new streams, but one open stream keeps it; so a client that attaches
 * again and again could pile up such backends. */
static void end_outdated(struct tunnel *t)
{
    struct backend *oldest = NULL;
    size_t count = 0;
    uint64_t suppressed;
    LIST_FOREACH (node, &t->backends)
        if (is_outdated(backend_at(node)) && count++ == 0)
            oldest = backend_at(node);
    if (count <= TUNNEL_OUTDATED_MAX)
        return;
    if (worker_may_log(t->owner->worker, WORKER_OUTDATED_LINKS, &suppressed))
        LOG(WARN, "too_many_outdated_links", LOG_STR("name", t->name),
            LOG_U("suppressed", suppressed));
    oldest->ops->close(oldest, ENHANCE_YOUR_CALM);
}

/* Joins @b, and retires the backends that @b replaces. @b joins before the others go, so that the
 * name is LIVE all the time. */
void tunnel_join(struct tunnel *t, struct backend *b, uint64_t now_us)
{
    struct place p = backend_place(b);
    assert(!b->tunnel && !list_linked(&b->in_tunnel));
    if (find_rival(t, &p))
        note_takeover(t, now_us);
    b->tunnel = t;
    list_push(&t->backends, &b->in_tunnel);
    refresh(t);
    make_way(t, b);
    end_outdated(t);
    tunnel_wake(t);
}

/* Lets the hold timer free a random name whose client has left for good. The tunnel cannot be freed
 * here, since callers still use @t. */
static void free_soon(struct tunnel *t)
{
    tunnel_hold(t, TUNNEL_GRACED, 0);
    note_change(t);
}

void tunnel_leave(struct tunnel *t, struct backend *b, bool goodbye)
{
    if (b->tunnel != t)
        return;
    list_remove(&b->in_tunnel);
    b->tunnel = NULL;
    refresh(t);
    if (goodbye && t->state != TUNNEL_LIVE)
        t->left_for_good = true;
    if (is_dispensable(t))
        free_soon(t);
    if (CHECKING)
        tunnel_check_fresh(t);
}

/* ---- requests */

struct backend *tunnel_pick(const struct tunnel *t, enum stream_kind kind)
{
    struct backend *best = NULL;
    enum fitness best_fitness = FITNESS_NONE;
    LIST_FOREACH (node, &t->backends) {
        struct backend *b = backend_at(node);
        enum fitness fitness = fitness_of(b, kind);
        if (fitness > best_fitness ||
            (best && fitness == best_fitness && b->ops->load(b) < best->ops->load(best))) {
            best = b;
            best_fitness = fitness;
        }
    }
    return best;
}

/* Works out the state, and gives backends to waiting requests. Each request that waits now gets one
 * try, since a request that must wait again goes to the end of the queue. */
void tunnel_wake(struct tunnel *t)
{
    refresh(t);
    for (size_t n = t->queue.n; n > 0 && can_tell(t); n--) {
        struct waiter *w = queue_pop(&t->queue);
        if (!w)
            break;
        w->ops->on_backend(w, tunnel_pick(t, w->kind));
    }
    if (CHECKING)
        tunnel_check_served(t);
}

/* Returns whether a client of the name may come while a request waits (rules F2, F54, O83). */
static bool may_come(const struct tunnel *t, uint64_t now_us)
{
    uint64_t since_us = t->hold.away_since_us;
    if (t->state == TUNNEL_LIVE || now_us < t->expected_until_us)
        return true;
    return t->was_live && (now_us <= since_us || now_us - since_us <= AWAY_MAX_US);
}

bool tunnel_wait(struct tunnel *t, struct waiter *w, uint64_t now_us)
{
    assert(!list_linked(&w->node));
    CHECK_THAT(w->held_back || !can_open(t, w->kind));
    if (!may_come(t, now_us))
        return false;
    bool waits = queue_push(&t->queue, w);
    if (CHECKING)
        tunnel_check(t);
    return waits;
}

void tunnel_unwait(struct tunnel *t, struct waiter *w)
{
    queue_remove(w);
    if (CHECKING)
        tunnel_check(t);
}
