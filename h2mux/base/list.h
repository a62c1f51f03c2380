/* SPDX-License-Identifier: MIT */
/* list.h - intrusive doubly linked list, circular around its head. A node outside any list points
 * to itself or is zeroed. */
#ifndef H2MUX_BASE_LIST_H
#define H2MUX_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

#include "h2mux/base/alloc.h"

struct list_node {
    struct list_node *prev, *next; /* weak: the neighbours unlink themselves */
};

static inline void list_init(struct list_node *head)
{
    head->prev = head->next = head;
}

static inline bool list_linked(const struct list_node *n)
{
    return n->next && n->next != n;
}

static inline bool list_empty(const struct list_node *head)
{
    return head->next == head;
}

/* Returns how many nodes the list has, by walking it. */
static inline size_t list_count(const struct list_node *head)
{
    size_t n = 0;
    for (const struct list_node *it = head->next; it != head; it = it->next)
        n++;
    return n;
}

static inline void list_insert_before(struct list_node *at, struct list_node *n)
{
    n->prev = at->prev;
    n->next = at;
    at->prev->next = n;
    at->prev = n;
}

static inline void list_push(struct list_node *head, struct list_node *n) /* at the end */
{
    list_insert_before(head, n);
}

static inline void list_remove(struct list_node *n) /* fine on a node outside any list */
{
    if (n->next) {
        n->prev->next = n->next;
        n->next->prev = n->prev;
    }
    n->prev = n->next = NULL;
}

static inline struct list_node *
list_pop(struct list_node *head) /* the first, unlinked; NULL when empty */
{
    struct list_node *n = head->next;
    if (n == head)
        return NULL;
    list_remove(n);
    return n;
}

/* @it may be removed from the list in the body; no other node may. */
#define LIST_FOREACH(it, head)                                                                     \
    for (struct list_node *it = (head)->next, *it##_next = it->next; it != (head);                 \
         it = it##_next, it##_next = it->next)

#endif
