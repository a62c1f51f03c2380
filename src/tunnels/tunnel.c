/* SPDX-License-Identifier: MIT */
/* tunnel.c - who may attach to a name, which link takes the next stream, and who waits for one.
 *
 * The state follows from the links: tunnel_refresh() looks at them all (a handful) whenever one
 * comes, goes or changes, so no count can go astray. A link's death may come in the middle of
 * anything here; a tunnel's cannot. */
#include "src/tunnels/tunnel.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "h2mux/base/log.h"
#include "src/tunnels/link.h"

enum {
    AWAY_MAX_US = 30 * 1000000, /* so long a request is worth holding */
    FLAP_WINDOW_US = 60 * 1000000,
    FLAP_PENALTY_US = 60 * 1000000,
    FLAP_MAX = 5, /* takeovers in a window */
    RING = sizeof((struct tunnel){0}.takeovers_us) / sizeof(uint64_t)
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

static struct link *link_at(struct list_node *node)
{
    return CONTAINER_OF(node, struct link, in_tunnel);
}

static uint64_t tunnel_now_us(const struct tunnel *t)
{
    return loop_now_us(t->expiry.loop);
}

/* ---- life */

/* Returns whether a random name's last client left for good, so that nobody will come back to it.
 */
static bool is_dispensable(const struct tunnel *t)
{
    return t->left_for_good && !t->asked && list_empty(&t->links);
}

static void on_expiry(void *user)
{
    struct tunnel *t = user;
    if (!is_dispensable(t)) /* else client_leaves has said all */
        LOG(INFO, "name_free", LOG_STR("name", t->name),
            LOG_STR("was", tunnel_state_name(t->state)));
    registry_drop(t->registry, t);
}

void tunnel_hold(struct tunnel *t, enum tunnel_state s, uint64_t for_ms)
{
    assert(s != TUNNEL_LIVE);
    uint64_t now_us = tunnel_now_us(t);
    t->state = s;
    t->held_until_us = now_us + for_ms * 1000;
    if (t->away_since_us == 0)
        t->away_since_us = now_us;
    timer_arm(&t->expiry, for_ms);
}

struct tunnel *tunnel_new(struct registry *r, struct loop *l, struct slice name,
                          const uint8_t owner[static OWNER_LEN], bool asked)
{
    struct tunnel *t = xcalloc(1, sizeof *t);
    assert(name.len <= NAME_MAX_LEN);
    memcpy(t->name, name.ptr, name.len);
    memcpy(t->owner, owner, OWNER_LEN);
    t->asked = asked;
    t->registry = r;
    list_init(&t->links);
    list_init(&t->waiters);
    timer_init(&t->expiry, l, on_expiry, t);
    tunnel_hold(t, TUNNEL_PENDING, registry_config(r)->pending_ms);
    return t;
}

static struct waiter *waiter_pop(struct tunnel *t)
{
    struct list_node *node = list_pop(&t->waiters);
    if (!node)
        return NULL;
    t->n_waiters--;
    registry_wait_end(t->registry);
    return CONTAINER_OF(node, struct waiter, node);
}

void tunnel_free(struct tunnel *t)
{
    if (!t)
        return;
    timer_stop(&t->expiry);
    for (struct list_node *node; (node = list_pop(&t->links));)
        link_at(node)->tunnel = NULL;
    for (struct waiter *w; (w = waiter_pop(t));)
        w->on_gone(w);
    free(t);
}

/* ---- state */

static bool counts_towards_limit(const struct link *l)
{
    return l->state == LINK_UP && !l->replaced;
}

static void tunnel_enter_live(struct tunnel *t)
{
    timer_stop(&t->expiry);
    t->state = TUNNEL_LIVE;
    t->away_since_us = t->held_until_us = 0;
    t->left_for_good = false;
    registry_note(t->registry, t);
}

static void tunnel_enter_graced(struct tunnel *t)
{
    tunnel_hold(t, TUNNEL_GRACED, registry_config(t->registry)->name_grace_ms);
    registry_note(t->registry, t);
}

static void tunnel_refresh(struct tunnel *t)
{
    bool usable = false;
    t->n_links = 0;
    LIST_FOREACH (node, &t->links) {
        t->n_links += counts_towards_limit(link_at(node));
        usable = usable || link_usable(link_at(node));
    }
    if (usable && t->state != TUNNEL_LIVE)
        tunnel_enter_live(t);
    else if (!usable && t->state == TUNNEL_LIVE)
        tunnel_enter_graced(t);
}

/* ---- who may attach */

/* No instance is like no other, itself included. */
static bool same_instance(const struct link *l, const struct place *p)
{
    return p->instance.len > 0 && slice_eq(slice_str(l->instance), p->instance);
}

static bool side_by_side(const struct link *l, const struct place *p)
{
    return same_instance(l, p) || (l->pool && p->pool);
}

static struct place place_of(const struct link *l)
{
    return (struct place){slice_str(l->instance), l->slot, l->pool};
}

/* One that a newcomer at @p would throw out; NULL: nobody is. */
static const struct link *find_rival(const struct tunnel *t, const struct place *p)
{
    LIST_FOREACH (node, &t->links)
        if (link_usable(link_at(node)) && !side_by_side(link_at(node), p))
            return link_at(node);
    return NULL;
}

static bool slot_taken(const struct tunnel *t, const struct place *p)
{
    LIST_FOREACH (node, &t->links) {
        const struct link *l = link_at(node);
        if (counts_towards_limit(l) && same_instance(l, p) && l->slot == p->slot)
            return true;
    }
    return false;
}

static size_t recent_takeovers(const struct tunnel *t, uint64_t now_us)
{
    size_t n = 0;
    for (size_t i = 0; i < RING && i < t->n_takeovers; i++)
        n += now_us - t->takeovers_us[i] < FLAP_WINDOW_US;
    return n;
}

static void note_takeover(struct tunnel *t, uint64_t now_us)
{
    t->takeovers_us[t->n_takeovers++ % RING] = now_us;
}

/* Two that throw each other out: from now on the one that is here stays. */
static enum join_verdict may_take_over(struct tunnel *t, const struct link *rival,
                                       const struct place *p, uint64_t now_us,
                                       unsigned *retry_after_s)
{
    if (now_us >= t->flapping_until_us && recent_takeovers(t, now_us) < FLAP_MAX)
        return JOIN_OK;
    if (now_us >= t->flapping_until_us) {
        t->flapping_until_us = now_us + FLAP_PENALTY_US;
        LOG(WARN, "name_flapping", LOG_STR("name", t->name),
            LOG_STR("holder", rival->instance[0] ? rival->instance : "-"),
            LOG_S("newcomer", p->instance.len > 0 ? p->instance : SLICE("-")),
            LOG_U("takeovers", t->n_takeovers));
    }
    *retry_after_s = (unsigned)((t->flapping_until_us - now_us + 999999) / 1000000);
    return JOIN_FLAPPING;
}

enum join_verdict tunnel_may_join(struct tunnel *t, const struct place *p, size_t max_links,
                                  uint64_t now_us, unsigned *retry_after_s)
{
    *retry_after_s = 0;
    tunnel_refresh(t);
    const struct link *rival = find_rival(t, p);
    if (rival)
        return may_take_over(t, rival, p, now_us, retry_after_s);
    if (slot_taken(t, p) || t->n_links < max_links)
        return JOIN_OK;
    return JOIN_TOO_MANY;
}

bool tunnel_has_ousted(const struct tunnel *t, const struct link *l)
{
    struct place p = place_of(l);
    return same_instance(l, &p) && slice_eq(slice_str(t->ousted), p.instance) &&
           l->begun_us <= t->ousted_us && find_rival(t, &p);
}

static void oust(struct tunnel *t, struct link *old)
{
    memcpy(t->ousted, old->instance, sizeof t->ousted);
    t->ousted_us = tunnel_now_us(t);
    link_take_over(old);
}

static bool is_in_the_way(const struct link *old, const struct link *l)
{
    struct place p = place_of(l);
    if (!side_by_side(old, &p))
        return old->state == LINK_UP;
    return same_instance(old, &p) && old->slot == l->slot && !old->replaced;
}

static struct link *find_in_the_way(const struct tunnel *t, const struct link *l)
{
    LIST_FOREACH (node, &t->links)
        if (link_at(node) != l && is_in_the_way(link_at(node), l))
            return link_at(node);
    return NULL;
}

/* Looked for anew each time: what a link does when it is told may take others off the list. */
static void make_way(struct tunnel *t, const struct link *l)
{
    struct link *old, *last = NULL;
    struct place p = place_of(l);
    while ((old = find_in_the_way(t, l)) && old != last) {
        last = old;
        if (side_by_side(old, &p))
            link_replace(old);
        else
            oust(t, old);
    }
    assert(!old);
}

static bool is_outdated(const struct link *l)
{
    return l->state != LINK_UP || l->replaced;
}

/* One open stream keeps a link that gets nothing new, and who attaches again and again could pile
 * them up: beyond a number the oldest ends. */
static void end_outdated(struct tunnel *t)
{
    struct link *oldest = NULL;
    size_t count = 0;
    LIST_FOREACH (node, &t->links) {
        struct link *l = link_at(node);
        if (is_outdated(l) && count++ == 0)
            oldest = l;
    }
    if (count <= TUNNEL_OUTDATED_MAX)
        return;
    LOG(WARN, "too_many_outdated_links", LOG_STR("name", t->name));
    link_close(oldest, H2_ENHANCE_YOUR_CALM);
}

/* The newcomer is joined before the others go, so that the name is never away between the two. */
void tunnel_join(struct tunnel *t, struct link *l, uint64_t now_us)
{
    struct place p = place_of(l);
    assert(!l->tunnel && !list_linked(&l->in_tunnel));
    if (find_rival(t, &p))
        note_takeover(t, now_us);
    l->tunnel = t;
    list_push(&t->links, &l->in_tunnel);
    tunnel_refresh(t);
    make_way(t, l);
    end_outdated(t);
    tunnel_wake(t);
}

/* A random name whose client has left for good is nobody's wish any more. It goes from the loop:
 * callers hold @t. */
static void free_soon(struct tunnel *t)
{
    tunnel_hold(t, TUNNEL_GRACED, 0);
    registry_note(t->registry, t);
}

void tunnel_leave(struct tunnel *t, struct link *l, bool goodbye)
{
    if (l->tunnel != t)
        return;
    list_remove(&l->in_tunnel);
    l->tunnel = NULL;
    tunnel_refresh(t);
    if (goodbye && t->state != TUNNEL_LIVE)
        t->left_for_good = true;
    if (is_dispensable(t))
        free_soon(t);
}

/* ---- streams */

/* For a request of one kind, the best last. */
enum fitness { FITNESS_NONE, FITNESS_NO_WEBSOCKETS, FITNESS_FULL, FITNESS_ROOM };

static enum fitness fitness_of(const struct link *l, bool websocket)
{
    if (!link_usable(l))
        return FITNESS_NONE;
    if (websocket && !h2_session_takes_websockets(l->session))
        return FITNESS_NO_WEBSOCKETS;
    return link_can_open(l, websocket) ? FITNESS_ROOM : FITNESS_FULL;
}

struct link *tunnel_pick(const struct tunnel *t, bool websocket)
{
    struct link *best = NULL;
    enum fitness best_fitness = FITNESS_NONE;
    LIST_FOREACH (node, &t->links) {
        struct link *l = link_at(node);
        enum fitness fitness = fitness_of(l, websocket);
        if (fitness > best_fitness ||
            (best && fitness == best_fitness && link_load(l) < link_load(best))) {
            best = l;
            best_fitness = fitness;
        }
    }
    return best;
}

static bool has_room(const struct tunnel *t)
{
    const struct link *l = tunnel_pick(t, false);
    return l && link_can_open(l, false);
}

/* As many as wait now, not more: one that has to wait again goes to the end of the queue. */
void tunnel_wake(struct tunnel *t)
{
    tunnel_refresh(t);
    for (size_t n = t->n_waiters; n > 0 && has_room(t); n--) {
        struct waiter *w = waiter_pop(t);
        if (!w)
            return;
        w->on_link(w, tunnel_pick(t, w->websocket));
    }
}

bool tunnel_wait(struct tunnel *t, struct waiter *w, uint64_t now_us)
{
    bool away = t->state != TUNNEL_LIVE;
    assert(!list_linked(&w->node));
    if (away && now_us > t->away_since_us && now_us - t->away_since_us > AWAY_MAX_US)
        return false;
    if (t->n_waiters >= TUNNEL_WAITERS_MAX || !registry_wait_begin(t->registry))
        return false;
    list_push(&t->waiters, &w->node);
    t->n_waiters++;
    return true;
}

void tunnel_unwait(struct tunnel *t, struct waiter *w)
{
    if (!list_linked(&w->node))
        return;
    list_remove(&w->node);
    t->n_waiters--;
    registry_wait_end(t->registry);
}
