/* SPDX-License-Identifier: MIT */
/* map.c - implements map.h. The tree stores pointers to `struct node`; a look-up passes a node on
 * the stack whose key points to the caller's bytes. Keys are compared as bytes, and a key that
 * begins another key comes before the longer one.
 *
 * Invariants: count is the number of nodes; each node has a value, and a key that points to the
 * node's own copy; keys rise from node to node. */
#include "h2mux/base/map.h"

#include <assert.h>
#include <search.h>
#include <stdlib.h>

#include "h2mux/base/check.h"

struct node {
    struct slice key; /* in a stored node: points to `copy` */
    void *value;      /* borrowed */
    char copy[];
};

static int node_cmp(const void *left, const void *right)
{
    const struct node *a = left, *b = right;
    size_t common = a->key.len < b->key.len ? a->key.len : b->key.len;
    int order = common ? memcmp(a->key.ptr, b->key.ptr, common) : 0;
    if (order != 0)
        return order;
    return (a->key.len > b->key.len) - (a->key.len < b->key.len);
}

static struct node *node_new(struct slice key, void *value)
{
    struct node *n = xcalloc(1, sizeof *n + key.len);
    if (key.len > 0)
        memcpy(n->copy, key.ptr, key.len);
    n->key = slice_make(n->copy, key.len);
    n->value = value;
    return n;
}

static struct node *map_find(const struct map *m, struct slice key)
{
    struct node probe = {.key = key};
    struct node *const *slot = tfind(&probe, &m->root, node_cmp);
    return slot ? *slot : NULL;
}

void map_init(struct map *m)
{
    *m = (struct map){0};
}

void map_deinit(struct map *m)
{
    tdestroy(m->root, free);
    map_init(m);
}

/* Checks @m (CHECK=1) if it has at most 256 nodes. A check visits every node, so larger maps are
 * checked only when their owner calls map_check. */
static void check_if_small(const struct map *m)
{
    if (CHECKING && m->count <= 256)
        map_check(m);
}

void *map_get(const struct map *m, struct slice key)
{
    struct node *n = map_find(m, key);
    return n ? n->value : NULL;
}

void *map_set(struct map *m, struct slice key, void *value)
{
    assert(value);
    struct node *n = map_find(m, key);
    if (n) {
        void *before = n->value;
        n->value = value;
        return before;
    }
    if (!tsearch(node_new(key, value), &m->root, node_cmp))
        abort(); /* out of memory, as in alloc.c */
    m->count++;
    check_if_small(m);
    return NULL;
}

void *map_remove(struct map *m, struct slice key)
{
    struct node *n = map_find(m, key);
    if (!n)
        return NULL;
    void *value = n->value;
    tdelete(n, &m->root, node_cmp);
    free(n);
    m->count--;
    check_if_small(m);
    return value;
}

struct walk {
    void (*visit)(struct slice key, void *value, void *user);
    void *user;
};

static void walk_node(const void *slot, VISIT which, void *closure)
{
    const struct node *n = *(struct node *const *)slot;
    const struct walk *w = closure;
    /* twalk_r visits an inner node three times. The second visit, which <search.h> calls postorder,
     * comes in the order of the keys. */
    if (which == postorder || which == leaf)
        w->visit(n->key, n->value, w->user);
}

void map_each(const struct map *m, void (*visit)(struct slice key, void *value, void *user),
              void *user)
{
    struct walk w = {visit, user};
    twalk_r(m->root, walk_node, &w);
}

struct check_walk {
    const struct node *before; /* NULL before the first node */
    size_t count;
};

static void check_node(const void *slot, VISIT which, void *closure)
{
    const struct node *n = *(struct node *const *)slot;
    struct check_walk *w = closure;
    if (which != postorder && which != leaf)
        return;
    CHECK_THAT(n->value);
    CHECK_THAT(n->key.ptr == n->copy);
    CHECK_THAT(!w->before || node_cmp(w->before, n) < 0);
    w->before = n;
    w->count++;
}

void map_check(const struct map *m)
{
    struct check_walk w = {0};
    twalk_r(m->root, check_node, &w);
    CHECK_THAT(w.count == m->count);
}
