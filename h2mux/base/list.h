/* SPDX-License-Identifier: MIT */
/* list.h - links structs in doubly linked lists. Each listed struct has a node as a member, and a
 * list is a circle of nodes through its head. A node that is in no list is zeroed or points to
 * itself. */
#ifndef H2MUX_BASE_LIST_H
#define H2MUX_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

#include "h2mux/base/alloc.h"
#include "h2mux/base/check.h"

struct list_node {
    struct list_node *prev, *next; /* weak: each node unlinks itself */
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

/* Counts the nodes of the list, by a walk over all of them, and returns their number. */
static inline size_t list_count(const struct list_node *head)
{
    size_t n = 0;
    for (const struct list_node *it = head->next; it != head; it = it->next)
        n++;
    return n;
}

static inline void list_insert_before(struct list_node *at, struct list_node *n)
{
    CHECK_THAT(!list_linked(n));
    CHECK_THAT(at->prev->next == at);
    n->prev = at->prev;
    n->next = at;
    at->prev->next = n;
    at->prev = n;
}

/* Appends @n. */
static inline void list_push(struct list_node *head, struct list_node *n)
{
    list_insert_before(head, n);
}

/* Unlinks @n, which need not be in a list. */
static inline void list_remove(struct list_node *n)
{
    if (n->next) {
        CHECK_THAT(n->prev->next == n);
        CHECK_THAT(n->next->prev == n);
        n->prev->next = n->next;
        n->next->prev = n->prev;
    }
    n->prev = n->next = NULL;
}

/* Unlinks the first node and returns that node. Returns NULL if the list is empty. */
static inline struct list_node *list_pop(struct list_node *head)
{
    struct list_node *n = head->next;
    if (n == head)
        return NULL;
    list_remove(n);
    return n;
}

/* Runs the body for each node @it, in the order of the list. The body may remove @it from the list,
 * and no other node. */
#define LIST_FOREACH(it, head)                                                                     \
    for (struct list_node *it = (head)->next, *it##_next = it->next; it != (head);                 \
         it = it##_next, it##_next = it->next)

#endif
