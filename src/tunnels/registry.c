/* SPDX-License-Identifier: MIT */
/* registry.c - keeps the table of a worker's names in step with the directory; see registry.h. */
#include "src/tunnels/registry.h"

#include <stdlib.h>

#include "h2mux/base/check.h"
#include "h2mux/base/clock.h"
#include "h2mux/base/err.h"
#include "h2mux/base/log.h"
#include "h2mux/base/map.h"
#include "src/tunnels/tunnel.h"
#include "src/worker/worker.h"

struct registry {
    struct tunnel_owner owner;   /* given to each tunnel */
    const struct config *config; /* borrowed: outlives the registry */
    struct map names;            /* of struct tunnel, owned */
    struct directory *directory; /* borrowed: likewise */
    int worker;                  /* this worker's index in the directory */
};

/* ---- checks */

/* Checks that the table finds @t by its name, and that the directory gives the name to this
 * worker. */
static void check_name(const struct registry *r, const struct tunnel *t)
{
    struct slice name = slice_str(t->name);
    CHECK_THAT(map_get(&r->names, name) == t);
    CHECK_THAT(t->owner == &r->owner);
    CHECK_THAT(directory_find(r->directory, name) == r->worker);
}

static void check_entry(struct slice key, void *tunnel, void *registry)
{
    const struct tunnel *t = tunnel;
    CHECK_THAT(slice_eq(key, slice_str(t->name)));
    check_name(registry, t);
}

/* Checks all names. */
static void registry_check(struct registry *r)
{
    map_each(&r->names, check_entry, r);
}

/* ---- what the names file says */

/* Returns the wall-clock second until which the name of @t is held. Returns 0 for a LIVE name,
 * whose hold has no end yet: its grace begins at the next start. */
static int64_t tunnel_until(const struct tunnel *t, uint64_t now_us, int64_t wall_s)
{
    if (t->state == TUNNEL_LIVE)
        return 0;
    uint64_t left_us = t->hold.until_us > now_us ? t->hold.until_us - now_us : 0;
    return wall_s + (int64_t)((left_us + 999999) / 1000000);
}

/* Gives the directory the line that the names file gets for @t. */
static void note(void *registry, struct tunnel *t)
{
    struct registry *r = registry;
    keep_note(&t->keep, directory_reserve(r->directory), slice_str(t->name), t->owner_id,
              t->state == TUNNEL_LIVE);
    struct held_name h = {.until = tunnel_until(t, clock_now_us(), clock_wall_s()),
                          .asked = t->asked,
                          .rev = t->rev,
                          .old = t->old};
    memcpy(h.token, t->token, sizeof h.token);
    memcpy(h.name, t->name, sizeof h.name);
    memcpy(h.owner, t->owner_id, sizeof h.owner);
    if (CHECKING)
        check_name(r, t);
    commons_set_idle(r->owner.worker->server->names, &t->seat, t->state == TUNNEL_PENDING);
    if (r->owner.worker->server->draining && t->state == TUNNEL_GRACED && !t->left_for_good)
        return; /* the server takes the links away: the file says LIVE still */
    directory_note(r->directory, &h, t->asked || t->keep.said || !t->left_for_good);
}

static struct tunnel *registry_add(struct registry *r, struct slice name,
                                   const uint8_t owner[static OWNER_LEN], bool asked)
{
    struct tunnel *t = tunnel_new(&r->owner, name, owner, asked);
    map_set(&r->names, name, t);
    return t;
}

/* ---- the table */

/* Gives @t the policy that the names file has of it, and how often its keys were used. Its client
 * brings the policy along, so a text of a newer server, which this one does not understand, costs
 * nobody his gate. */
static void adopt_policy(struct registry *r, struct tunnel *t, struct slice text)
{
    struct policy *p = NULL;
    const char *why = "";
    ptrdiff_t end = slice_rfind(text, '}');
    struct slice json = slice_make(text.ptr, (size_t)(end + 1));
    if (text.len > 0 && policy_parse(json, &p, &why) < 0)
        LOG(ERROR, "policy_not_read", LOG_STR("name", t->name), LOG_STR("reason", why));
    if (p) {
        struct guard *g = guard_new(NULL, p, NULL);
        guard_set_used(g, slice_skip(text, json.len));
        registry_guard(r, t, g);
    }
    policy_drop(p);
}

/* Holds a name of the names file for the rest of its time. A name that was LIVE when the file was
 * written gets the whole --name-grace from now on. Another one has been away for the part of its
 * grace that is over; one that was never LIVE has less than a whole grace left, too, and looks as
 * if it had been away for long. */
void registry_adopt(struct registry *r, const struct held_name *h)
{
    int64_t wall_s = clock_wall_s();
    uint64_t most_ms = r->config->names.grace_ms, left_ms = most_ms;
    struct slice name = slice_str(h->name);
    if (h->until > 0)
        left_ms = h->until > wall_s ? (uint64_t)(h->until - wall_s) * 1000 : 0;
    if (left_ms > most_ms) /* the clock was set back, or --name-grace is shorter now */
        left_ms = most_ms;
    if (left_ms == 0 || registry_find(r, name) ||
        directory_claim(r->directory, name, r->worker, NULL) < 0)
        return;
    struct tunnel *t = registry_add(r, name, h->owner, h->asked);
    t->old = h->old;
    struct worker *w = r->owner.worker;
    commons_hold(w->server->names, w, &t->holder, &t->seat);
    tunnel_hold(t, TUNNEL_GRACED, left_ms);
    tunnel_was_live(t, (most_ms - left_ms) * 1000);
    t->rev = h->rev;
    memcpy(t->token, h->token, sizeof t->token);
    note(r, t);
    adopt_policy(r, t, h->policy);
    int err = registry_set_domain(r, t, h->domain);
    (void)err; /* another line has it, too: its client may ask again */
}

static void free_tunnel(struct slice key, void *value, void *user)
{
    tunnel_free(value);
}

/* Frees the registry and its tunnels. Each waiting request gets on_gone, and may look its name up
 * in that callback; so the table is emptied before. */
void registry_free(struct registry *r)
{
    if (!r)
        return;
    if (CHECKING)
        registry_check(r);
    struct map names = r->names;
    map_init(&r->names);
    map_each(&names, free_tunnel, NULL);
    map_deinit(&names);
    free(r);
}

/* Logs until when a name is reserved whose owner keeps the ticket, or that it is free. */
static void log_reserved(const struct registry *r, const struct tunnel *t)
{
    uint8_t owner[OWNER_LEN];
    uint64_t suppressed;
    char until[CLOCK_ISO_MAX];
    int64_t s = reserve_until(directory_reserve(r->directory), slice_str(t->name), owner);
    clock_iso(s, until);
    if (worker_may_log(r->owner.worker, WORKER_NAME_FREE, &suppressed))
        LOG(INFO, s > 0 ? "name_reserved" : "name_free", LOG_STR("name", t->name),
            LOG_STR("until", s > 0 ? until : "-"), LOG_U("suppressed", suppressed));
}

static void on_expired(void *registry, struct tunnel *t)
{
    if (t->keep.said)
        log_reserved(registry, t);
    registry_drop(registry, t);
}

struct registry *registry_new(struct worker *w)
{
    struct registry *r = xcalloc(1, sizeof *r);
    const struct config *c = w->server->config;
    r->owner = (struct tunnel_owner){
        .worker = w,
        .loop = w->loop,
        .pending_ms = c->names.pending_ms,
        .name_grace_ms = c->names.grace_ms,
        .on_change = note,
        .on_expired = on_expired,
        .user = r,
    };
    r->config = c;
    r->directory = w->server->directory;
    r->worker = (int)w->index;
    map_init(&r->names);
    return r;
}

struct tunnel *registry_find(const struct registry *r, struct slice name)
{
    return map_get(&r->names, name);
}

static unsigned seconds_left(const struct registry *r, const struct tunnel *t)
{
    uint64_t now_us = loop_now_us(r->owner.loop);
    if (t->state == TUNNEL_LIVE)
        return 0;
    return t->hold.until_us > now_us ? (unsigned)((t->hold.until_us - now_us) / 1000000) + 1 : 1;
}

/* Drops the name of @seat, whose owner has not come yet, since another one needs its place. */
static void evict(struct seat *seat)
{
    struct tunnel *t = CONTAINER_OF(seat, struct tunnel, seat);
    struct worker *w = t->owner->worker;
    uint64_t suppressed;
    if (t->state != TUNNEL_PENDING) { /* the owner has come meanwhile */
        commons_hold(w->server->names, w, &t->holder, seat);
        return;
    }
    if (worker_may_log(w, WORKER_NAME_EVICTED, &suppressed))
        LOG(WARN, "name_evicted", LOG_STR("name", t->name), LOG_U("suppressed", suppressed));
    registry_drop(t->owner->user, t);
}

struct commons *registry_names_new(size_t capacity)
{
    return commons_new(capacity, 1, evict);
}

/* Gives the new tunnel @t its place among the names of the process. An owner who comes back has one
 * even if there is none, unless its network has all that it may have. Returns false when there is
 * no place. */
static bool take_place(struct tunnel *t, const struct address *from, bool returning)
{
    struct worker *w = t->owner->worker;
    struct commons *names = w->server->names;
    if (from)
        t->holder = who_of_address(from);
    if (commons_take(names, w, &t->holder, &t->seat, true))
        return true;
    if (!returning || commons_has_most(names, &t->holder))
        return false;
    commons_hold(names, w, &t->holder, &t->seat);
    commons_set_idle(names, &t->seat, true);
    return true;
}

/* Finds the tunnel of a name that @owner may have, or adds it. Returns as registry_claim. */
static int find_or_add(struct registry *r, struct slice name, const uint8_t owner[static OWNER_LEN],
                       const struct claim *how, struct tunnel **out)
{
    struct tunnel *t = registry_find(r, name);
    struct claimant by = {.from = how->from,
                          .token = how->token ? how->token->id : NULL,
                          .token_max = how->token ? how->token->max : 0};
    int err = directory_claim(r->directory, name, r->worker, &by);
    if (err < 0)
        return err;
    if (!t) {
        t = registry_add(r, name, owner, how->asked);
        if (!take_place(t, how->from, how->returning)) {
            registry_drop(r, t);
            return ERR_LIMIT;
        }
    }
    *out = t;
    return 0;
}

/* Returns whether @name, which nobody holds, is reserved for somebody else than @owner. Sets
 * @retry_after_s then. */
static bool is_reserved(const struct registry *r, struct slice name,
                        const uint8_t owner[static OWNER_LEN], unsigned *retry_after_s)
{
    int64_t until, now = clock_wall_s();
    if (!reserve_is_for_another(directory_reserve(r->directory), name, owner, &until))
        return false;
    *retry_after_s = until > now ? (unsigned)(until - now) : 1;
    return true;
}

int registry_claim(struct registry *r, struct slice name, const uint8_t owner[static OWNER_LEN],
                   const struct claim *how, struct tunnel **out, unsigned *retry_after_s)
{
    struct tunnel *t = registry_find(r, name);
    *retry_after_s = 0;
    if (t && !owner_eq(t->owner_id, owner)) {
        unsigned reserved_s = 0, left_s = seconds_left(r, t);
        bool longer = left_s > 0 && is_reserved(r, name, owner, &reserved_s) && reserved_s > left_s;
        *retry_after_s = longer ? reserved_s : left_s;
        return ERR_TAKEN;
    }
    if (!t && is_reserved(r, name, owner, retry_after_s))
        return ERR_TAKEN;
    if (t && how->attaches && how->rev < t->rev)
        return ERR_EXPIRED;
    int err = find_or_add(r, name, owner, how, &t);
    if (err < 0)
        return err;
    uint64_t pending_us = r->config->names.pending_ms * 1000;
    if (t->state != TUNNEL_LIVE && t->hold.until_us < loop_now_us(r->owner.loop) + pending_us)
        tunnel_hold(t, t->state, r->config->names.pending_ms);
    t->left_for_good = false; /* the client is back, and will attach */
    keep_called(&t->keep, how->from);
    if (how->token)
        memcpy(t->token, how->token->id, sizeof t->token);
    if (how->attaches)
        t->rev = how->rev;
    note(r, t);
    *out = t;
    return 0;
}

int registry_set_domain(struct registry *r, struct tunnel *t, struct slice host)
{
    if (!t->domain && host.len == 0)
        return 0;
    int err = directory_set_domain(r->directory, slice_str(t->name), host);
    if (err < 0)
        return err;
    char *domain = host.len > 0 ? slice_dup(host) : NULL; /* it may be that of @t */
    free(t->domain);
    t->domain = domain;
    return 0;
}

void registry_guard(struct registry *r, struct tunnel *t, struct guard *g)
{
    guard_drop(t->guard);
    t->guard = g;
    registry_note_used(r, t);
}

void registry_note_used(struct registry *r, const struct tunnel *t)
{
    char used[GUARD_USED_MAX];
    guard_used(t->guard, used);
    char *text = xasprintf("%.*s%s", SLICE_FMT(policy_text(guard_own(t->guard))), used);
    directory_set_policy(r->directory, slice_str(t->name), slice_str(text));
    free(text);
}

int64_t registry_issue(struct registry *r, struct tunnel *t)
{
    int64_t now = clock_wall_s();
    t->rev = t->rev > now ? t->rev : now;
    note(r, t);
    return t->rev;
}

void registry_keep(struct registry *r, struct tunnel *t)
{
    t->keep.said = true;
    note(r, t);
}

void registry_note_old(struct registry *r, struct tunnel *t, const struct old_claim *old)
{
    if (t->old.state == old->state && address_eq(&t->old.from, &old->from))
        return;
    t->old = *old;
    note(r, t);
}

void registry_release(struct registry *r, struct slice name)
{
    struct tunnel *t = registry_find(r, name);
    if (!t)
        return;
    t->keep.said = t->keep.begun = false;
    if (t->state != TUNNEL_LIVE)
        registry_drop(r, t);
}

/* What registry_each calls. */
struct visitor {
    void (*visit)(struct tunnel *t, void *user);
    void *user;
};

static void visit_tunnel(struct slice key, void *value, void *user)
{
    const struct visitor *v = user;
    v->visit(value, v->user);
}

void registry_each(const struct registry *r, void (*visit)(struct tunnel *t, void *user),
                   void *user)
{
    struct visitor v = {visit, user};
    map_each(&r->names, visit_tunnel, &v);
}

void registry_drop(struct registry *r, struct tunnel *t)
{
    if (CHECKING)
        check_name(r, t);
    map_remove(&r->names, slice_str(t->name));
    directory_release(r->directory, slice_str(t->name));
    tunnel_free(t);
}
