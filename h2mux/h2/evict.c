/* SPDX-License-Identifier: MIT */
/* evict.c - finds the readers that stand still and gives them up. See evict.h.
 *
 * A reader stands still if its peer has taken nothing for the stall time of its link. One pass over
 * all readers finds up to 16 readers to give up (VICTIMS_MAX): one pass for each reader would hold
 * up the loop when thousands stand still. */
#include "h2mux/h2/evict.h"

#include "h2mux/base/check.h"

enum {
    LOOK_MS = 1000,
    LOOK_SHORT_MS = 100, /* while credit is kept back, or one look was not enough */
    VICTIMS_MAX = 16
};

/* The readers that are to be given up; the one that has stood still for longest is first. */
struct victims {
    struct {
        struct evict_reader *reader;
        const struct evict_group *group;
    } of[VICTIMS_MAX];
    size_t count;
};

static void look(void *user);
static void on_held(void *user, bool short_of_room);

static void tell(void *user)
{
    struct evictor *e = user;
    budget_tell(&e->share);
}

void evictor_init(struct evictor *e, struct budget *b, struct loop *l)
{
    *e = (struct evictor){.loop = l};
    budget_share_init(&e->share, b);
    e->share.on_held = on_held;
    e->share.user = e;
    sock_tails_init(&e->tails, &e->share);
    list_init(&e->groups);
    list_init(&e->others);
    task_init(&e->tell, tell, e);
    timer_init(&e->look, l, look, e);
}

void evictor_deinit(struct evictor *e)
{
    sock_tails_forget(&e->tails);
    if (CHECKING)
        evictor_check(e);
    budget_share_deinit(&e->share);
    task_cancel(&e->tell);
    timer_stop(&e->look);
}

void evictor_join(struct evictor *e, struct evict_group *g)
{
    list_push(&e->groups, &g->node);
    budget_add_link(&e->share);
}

void evictor_leave(struct evictor *e, struct evict_group *g)
{
    if (!g->node.next)
        return;
    list_remove(&g->node);
    budget_drop_link(&e->share);
}

void evictor_watch(struct evictor *e, struct evict_group *g)
{
    list_push(&e->others, &g->node);
}

void evictor_unwatch(struct evict_group *g)
{
    list_remove(&g->node);
}

void evictor_changed(struct evictor *e)
{
    loop_frame(e->loop, &e->tell);
}

void evict_group_init(struct evict_group *g, const struct evict_ops *ops, uint64_t stall_ms)
{
    *g = (struct evict_group){.ops = ops, .stall_us = stall_ms * 1000};
    list_init(&g->readers);
}

void evict_reader_hold(struct evict_group *g, struct evict_reader *r, uint64_t bytes, uint64_t now)
{
    if (r->held == 0) {
        r->moved_us = now;
        list_push(&g->readers, &r->node);
    }
    r->held += bytes;
}

void evict_reader_release(struct evict_reader *r, uint64_t bytes)
{
    r->held -= bytes;
    if (r->held == 0)
        list_remove(&r->node);
}

/* ---- readers that stand still */

/* Returns whether the peer that reads from @r has taken bytes since the last call. Bytes that have
 * left this program may wait in the kernel for a slow peer, so the peer may take bytes although no
 * credit comes. */
static bool peer_moves(const struct evict_group *g, struct evict_reader *r, uint64_t now)
{
    uint64_t taken;
    if (!g->ops->taken(r, &taken))
        return false;
    bool moves = r->taken_us != 0 && taken != r->taken;
    if (r->taken_us == 0 || moves)
        r->taken_us = now;
    r->taken = taken;
    return moves;
}

/* Returns whether @r stands still. Asking the kernel how much the peer has taken costs a system
 * call. So this function asks when @r is first seen, and again each time that the stall time is
 * over: for most readers twice. */
static bool stands_still(const struct evict_group *g, struct evict_reader *r, uint64_t now)
{
    bool known = r->taken_us != 0, due = now - r->moved_us >= g->stall_us;
    if (known && (!due || now - r->taken_us < g->stall_us))
        return false;
    if (peer_moves(g, r, now))
        r->moved_us = now;
    return now - r->moved_us >= g->stall_us && now - r->taken_us >= g->stall_us;
}

static void note(struct victims *v, const struct evict_group *g, struct evict_reader *r)
{
    size_t at = v->count < VICTIMS_MAX ? v->count++ : VICTIMS_MAX;
    for (; at > 0 && v->of[at - 1].reader->moved_us > r->moved_us; at--)
        if (at < VICTIMS_MAX)
            v->of[at] = v->of[at - 1];
    if (at < VICTIMS_MAX) {
        v->of[at].reader = r;
        v->of[at].group = g;
    }
}

static void look_at(struct victims *v, const struct evict_group *g, uint64_t now)
{
    LIST_FOREACH (it, &g->readers) {
        struct evict_reader *r = CONTAINER_OF(it, struct evict_reader, node);
        if (stands_still(g, r, now))
            note(v, g, r);
    }
}

/* ---- giving up */

/* Gives up victims until less than three quarters of the budget are used: of @link, or of the
 * process if @link is NULL. Returns true if that was not enough and a further pass may find more
 * victims. A victim that holds nothing any more, because an earlier
 * victim ended its stream too, is passed over. */
static bool give_up_some(const struct victims *v, const struct fill *link,
                         struct budget_share *share, uint64_t now)
{
    for (size_t i = 0; i < v->count; i++) {
        budget_tell(share);
        struct fill process = budget_fill(share);
        struct evict_reader *r = v->of[i].reader;
        if (!fill_is_tight(link ? link : &process))
            return false;
        if (r->held > 0)
            v->of[i].group->ops->give_up(r, (now - r->moved_us) / 1000);
    }
    return v->count == VICTIMS_MAX;
}

void evict_group_relieve(struct evict_group *g, const struct fill *link, struct budget_share *share,
                         uint64_t now)
{
    struct victims v = {.count = 0};
    if (!fill_is_tight(link))
        return;
    look_at(&v, g, now);
    give_up_some(&v, link, share, now);
}

static bool relieve_process(struct evictor *e, uint64_t now)
{
    struct victims v = {.count = 0};
    LIST_FOREACH (it, &e->groups)
        look_at(&v, CONTAINER_OF(it, struct evict_group, node), now);
    LIST_FOREACH (it, &e->others)
        look_at(&v, CONTAINER_OF(it, struct evict_group, node), now);
    return give_up_some(&v, NULL, &e->share, now);
}

static void restore_groups(const struct list_node *groups)
{
    LIST_FOREACH (it, groups) {
        struct evict_group *g = CONTAINER_OF(it, struct evict_group, node);
        g->ops->restore(g);
    }
}

static void look(void *user)
{
    struct evictor *e = user;
    if (CHECKING)
        evictor_check(e);
    struct fill process = budget_fill(&e->share);
    bool more = false;
    if (fill_is_tight(&process)) {
        sock_tails_evict(&e->tails, loop_now_us(e->loop));
        more = relieve_process(e, loop_now_us(e->loop));
    }
    budget_tell(&e->share);
    if (e->share.withheld > 0)
        restore_groups(&e->groups);
    if (e->share.withheld > 0)
        restore_groups(&e->others);
    if (e->share.held > e->share.fixed || e->share.withheld > 0)
        timer_arm(&e->look, more || e->share.withheld > 0 ? LOOK_SHORT_MS : LOOK_MS);
}

static void on_held(void *user, bool short_of_room)
{
    struct evictor *e = user;
    if (short_of_room || !timer_armed(&e->look))
        timer_arm(&e->look, e->share.withheld > 0 ? LOOK_SHORT_MS : LOOK_MS);
}

/* ---- invariants */

uint64_t evict_group_check(const struct evict_group *g)
{
    uint64_t held = 0;
    LIST_FOREACH (it, &g->readers) {
        const struct evict_reader *r = CONTAINER_OF(it, struct evict_reader, node);
        CHECK_THAT(r->held > 0 && r->held <= INT64_MAX);
        CHECK_THAT(r->moved_us > 0);
        held += r->held;
    }
    return held;
}

void evictor_check(const struct evictor *e)
{
    uint64_t held = sock_tails_check(&e->tails);
    LIST_FOREACH (it, &e->groups)
        held += evict_group_check(CONTAINER_OF(it, struct evict_group, node));
    LIST_FOREACH (it, &e->others)
        held += evict_group_check(CONTAINER_OF(it, struct evict_group, node));
    held += e->share.fixed;
    loop_check_thread(e->loop);
    CHECK_THAT(e->share.links == list_count(&e->groups));
    CHECK_THAT(e->share.held == held);
    budget_share_check(&e->share);
}
