/* SPDX-License-Identifier: MIT */
/* shares.c - keeps a tree of holders, in which each holder has its children in a heap; see
 * shares.h.
 *
 * The greediest child is the root of the heap. A change to a place walks from its holder to the top
 * and moves each holder on the way up or down in the heap of its parent. */
#include "src/limits/shares.h"

#include <assert.h>
#include <stdlib.h>

#include "h2mux/base/check.h"
#include "h2mux/base/map.h"

struct holder {
    struct address key;
    struct holder *parent; /* weak; NULL: the top, which has all places of the pool */
    size_t count;
    struct share *victim;     /* weak: the idle place that goes first; NULL: none is idle */
    struct list_node idle;    /* narrowest: its idle places, the oldest first */
    struct list_node busy;    /* narrowest: its other places, the oldest first */
    struct holder **children; /* a heap with the greediest first; the array is owned */
    size_t n_children, room;
    size_t at; /* its index in the heap of its parent */
};

struct shares {
    size_t capacity;
    uint64_t turns;     /* given to idle places so far */
    struct holder top;  /* of the widest holders */
    struct map holders; /* of struct holder, owned; keyed by the bytes of their addresses */
};

static struct slice key_of(const struct address *a)
{
    return slice_make((const char *)a, sizeof *a);
}

static struct holder *find(const struct shares *s, const struct address *a)
{
    return map_get(&s->holders, key_of(a));
}

struct shares *shares_new(size_t capacity)
{
    struct shares *s = xcalloc(1, sizeof *s);
    assert(capacity > 0);
    s->capacity = capacity;
    list_init(&s->top.idle);
    list_init(&s->top.busy);
    map_init(&s->holders);
    return s;
}

void shares_free(struct shares *s)
{
    if (!s)
        return;
    CHECK_THAT(s->top.count == 0 && s->holders.count == 0);
    map_deinit(&s->holders);
    free(s->top.children);
    free(s);
}

/* ---- the heap of children */

/* Returns whether @a has to give up a place before @b. */
static bool is_greedier(const struct holder *a, const struct holder *b)
{
    size_t of_a = a->victim ? a->count : 0, of_b = b->victim ? b->count : 0;
    return of_a != of_b ? of_a > of_b : of_a > 0 && a->victim->since < b->victim->since;
}

static void put(struct holder *parent, size_t at, struct holder *h)
{
    parent->children[at] = h;
    h->at = at;
}

static bool rise(struct holder *parent, struct holder *h)
{
    size_t at = h->at, from = at;
    for (; at > 0 && is_greedier(h, parent->children[(at - 1) / 2]); at = (at - 1) / 2)
        put(parent, at, parent->children[(at - 1) / 2]);
    put(parent, at, h);
    return at != from;
}

static void sink(struct holder *parent, struct holder *h)
{
    size_t at = h->at;
    for (;;) {
        size_t child = 2 * at + 1;
        if (child + 1 < parent->n_children &&
            is_greedier(parent->children[child + 1], parent->children[child]))
            child++;
        if (child >= parent->n_children || !is_greedier(parent->children[child], h))
            break;
        put(parent, at, parent->children[child]);
        at = child;
    }
    put(parent, at, h);
}

static void heap_add(struct holder *parent, struct holder *h)
{
    if (parent->n_children == parent->room) {
        parent->room = parent->room > 0 ? 2 * parent->room : 4;
        parent->children = xrealloc(parent->children, parent->room * sizeof(struct holder *));
    }
    put(parent, parent->n_children++, h);
    rise(parent, h);
}

static void heap_remove(struct holder *parent, struct holder *h)
{
    struct holder *last = parent->children[--parent->n_children];
    if (last == h)
        return;
    put(parent, h->at, last);
    if (!rise(parent, last))
        sink(parent, last);
}

/* ---- holders */

static void find_victim(struct holder *h)
{
    if (h->n_children > 0)
        h->victim = h->children[0]->victim;
    else
        h->victim = list_empty(&h->idle) ? NULL : CONTAINER_OF(h->idle.next, struct share, node);
}

/* Restores the order from the holder @h to the top, after a place of @h has changed. Frees the
 * holders on the way that have no place any more. */
static void settle(struct shares *s, struct holder *h)
{
    assert(!s->top.parent);
    for (struct holder *parent; (parent = h->parent); h = parent) {
        if (h->count == 0) {
            heap_remove(parent, h);
            map_remove(&s->holders, key_of(&h->key));
            free(h->children);
            free(h);
            continue;
        }
        find_victim(h);
        if (!rise(parent, h))
            sink(parent, h);
    }
    find_victim(h);
    if (CHECKING && (s->top.count < 64 || s->top.count % 256 == 0))
        shares_check(s);
}

static struct holder *add_holder(struct shares *s, struct holder *parent, const struct address *a)
{
    struct holder *h = xcalloc(1, sizeof *h);
    h->key = *a;
    h->parent = parent;
    list_init(&h->idle);
    list_init(&h->busy);
    map_set(&s->holders, key_of(a), h);
    heap_add(parent, h);
    return h;
}

/* Finds or makes the holders of @who. Returns the narrowest of them, or the top for nobody. */
static struct holder *holder_for(struct shares *s, const struct who *who)
{
    struct holder *h = &s->top;
    for (unsigned i = 0; i < who->depth; i++) {
        struct holder *next = find(s, &who->at[i]);
        h = next ? next : add_holder(s, h, &who->at[i]);
    }
    return h;
}

static void add_to_counts(struct holder *h, int n)
{
    for (; h; h = h->parent)
        h->count += (size_t)n;
}

/* ---- the rule */

size_t shares_most(const struct shares *s)
{
    return s->capacity - s->capacity / 4;
}

/* Returns the narrowest holder that has to give up a place before @who gets one, or NULL when there
 * is room for @who. */
static const struct holder *find_full(const struct shares *s, const struct who *who)
{
    const struct holder *full = s->top.count >= s->capacity ? &s->top : NULL;
    for (unsigned i = 0; i < who->depth; i++) {
        const struct holder *h = find(s, &who->at[i]);
        if (h && h->count >= shares_most(s))
            full = h;
    }
    return full;
}

static unsigned depth_of(const struct holder *h)
{
    unsigned depth = 0;
    for (; h->parent; h = h->parent)
        depth++;
    return depth;
}

/* Returns whether the place @victim may go for a place of @who: where their paths part, the holder
 * of @victim has more places; or the paths are the same. */
static bool may_displace(const struct shares *s, const struct who *who, const struct share *victim)
{
    const struct holder *path[WHO_DEPTH_MAX], *h = victim->of;
    unsigned depth = depth_of(h);
    for (unsigned i = depth; i-- > 0; h = h->parent)
        path[i] = h;
    for (unsigned i = 0; i < depth; i++) {
        const struct holder *own = i < who->depth ? find(s, &who->at[i]) : NULL;
        if (own != path[i])
            return path[i]->count > (own ? own->count : 0);
    }
    return true;
}

/* Returns the place that goes for a place of @who, or NULL when there is none. That is a place
 * below
 * @full, the narrowest holder that has to give one up. When the greediest there has no more places
 * than @who, it is a place of @who itself, or of a network around it. */
static struct share *find_place(const struct shares *s, const struct who *who,
                                const struct holder *full)
{
    struct share *victim = full->victim;
    if (victim && may_displace(s, who, victim))
        return victim;
    for (unsigned i = depth_of(full); i < who->depth; i++) {
        const struct holder *own = find(s, &who->at[i]);
        if (own && own->victim && may_displace(s, who, own->victim))
            return own->victim;
    }
    return NULL;
}

bool shares_has_place(const struct shares *s, const struct who *who)
{
    const struct holder *full = find_full(s, who);
    return !full || find_place(s, who, full);
}

bool shares_take(struct shares *s, const struct who *who, struct share *p, struct share **victim)
{
    const struct holder *full = find_full(s, who);
    *victim = full ? find_place(s, who, full) : NULL;
    if (full && !*victim)
        return false;
    if (*victim)
        shares_give(s, *victim);
    shares_hold(s, who, p);
    return true;
}

void shares_hold(struct shares *s, const struct who *who, struct share *p)
{
    assert(!p->taken);
    struct holder *h = holder_for(s, who);
    *p = (struct share){.of = who->depth > 0 ? h : NULL, .taken = true};
    if (p->of)
        list_push(&h->busy, &p->node);
    add_to_counts(h, 1);
    settle(s, h);
}

void shares_give(struct shares *s, struct share *p)
{
    struct holder *h = p->of ? p->of : &s->top;
    if (!p->taken)
        return;
    list_remove(&p->node);
    *p = (struct share){.taken = false};
    add_to_counts(h, -1);
    settle(s, h);
}

void shares_set_idle(struct shares *s, struct share *p, bool idle)
{
    if (!p->taken || p->idle == idle)
        return;
    p->idle = idle;
    if (!p->of)
        return;
    p->since = s->turns++;
    list_remove(&p->node);
    list_push(idle ? &p->of->idle : &p->of->busy, &p->node);
    settle(s, p->of);
}

struct share *shares_evict(struct shares *s)
{
    struct share *victim = s->top.victim;
    if (victim)
        shares_give(s, victim);
    return victim;
}

void shares_resize(struct shares *s, size_t capacity)
{
    assert(capacity > 0);
    s->capacity = capacity;
}

/* ---- queries and checks */

struct share *shares_beside(const struct share *p)
{
    struct list_node *first = p->of ? p->of->busy.next : NULL;
    bool other = first && first != &p->of->busy && first != &p->node;
    return other ? CONTAINER_OF(first, struct share, node) : NULL;
}

size_t shares_count(const struct shares *s)
{
    return s->top.count;
}

bool shares_has_most(const struct shares *s, const struct who *who)
{
    for (unsigned i = 0; i < who->depth; i++) {
        const struct holder *h = find(s, &who->at[i]);
        if (h && h->count >= shares_most(s))
            return true;
    }
    return false;
}

/* Checks @h and all holders below it. */
static void check_holder(const struct shares *s, const struct holder *h)
{
    size_t below = 0;
    CHECK_THAT(!h->parent || h->count > 0);
    CHECK_THAT(!h->parent || find(s, &h->key) == h);
    CHECK_THAT(!h->victim || (h->victim->taken && h->victim->idle));
    for (size_t i = 0; i < h->n_children; i++) {
        const struct holder *child = h->children[i];
        CHECK_THAT(child->parent == h && child->at == i);
        CHECK_THAT(i == 0 || !is_greedier(child, h->children[(i - 1) / 2]));
        check_holder(s, child);
        below += child->count;
    }
    CHECK_THAT(below <= h->count);
    CHECK_THAT(!h->parent || h->n_children == 0 || below == h->count);
    CHECK_THAT(h->n_children == 0 || h->victim == h->children[0]->victim);
    CHECK_THAT(h->n_children > 0 || !h->victim == list_empty(&h->idle));
    CHECK_THAT(!h->parent || h->n_children > 0 ||
               list_count(&h->idle) + list_count(&h->busy) == h->count);
}

void shares_check(const struct shares *s)
{
    check_holder(s, &s->top);
}
