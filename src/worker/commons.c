/* SPDX-License-Identifier: MIT */
/* commons.c - keeps shares under a lock, and a list of victims for each worker; see commons.h.
 *
 * The lock of a mailbox may be taken while this lock is held, and never the other way round. */
#include "src/worker/commons.h"

#include <pthread.h>
#include <stdlib.h>

#include "src/worker/mailbox.h"
#include "src/worker/worker.h"

struct commons {
    pthread_mutex_t lock; /* guards all below, and the seats */
    struct shares *shares[COMMONS_AXES_MAX];
    unsigned axes;
    void (*evict)(struct seat *seat);
    struct list_node **victims; /* of seats: a list for each worker; the lists are owned */
    unsigned n_victims;
};

/* Tells a worker that it has victims. */
struct letter {
    struct mail mail;
    struct commons *commons; /* borrowed: outlives every mail */
};

struct commons *commons_new(size_t capacity, unsigned axes, void (*evict)(struct seat *seat))
{
    struct commons *c = xcalloc(1, sizeof *c);
    pthread_mutex_init(&c->lock, NULL);
    c->axes = axes;
    for (unsigned i = 0; i < axes; i++)
        c->shares[i] = shares_new(capacity);
    c->evict = evict;
    return c;
}

void commons_free(struct commons *c)
{
    if (!c)
        return;
    for (unsigned i = 0; i < c->n_victims; i++) {
        CHECK_THAT(list_empty(c->victims[i]));
        free(c->victims[i]);
    }
    free(c->victims);
    for (unsigned i = 0; i < c->axes; i++)
        shares_free(c->shares[i]);
    pthread_mutex_destroy(&c->lock);
    free(c);
}

static struct list_node *victims_of(struct commons *c, unsigned worker)
{
    if (worker >= c->n_victims)
        c->victims = xrealloc(c->victims, (worker + 1) * sizeof(struct list_node *));
    while (c->n_victims <= worker) {
        struct list_node *list = xcalloc(1, sizeof *list);
        list_init(list);
        c->victims[c->n_victims++] = list;
    }
    return c->victims[worker];
}

/* Takes one victim of the worker @index off its list. Returns it, or NULL when there is none. */
static struct seat *next_victim(struct commons *c, unsigned index)
{
    pthread_mutex_lock(&c->lock);
    struct list_node *node = list_pop(victims_of(c, index));
    pthread_mutex_unlock(&c->lock);
    return node ? CONTAINER_OF(node, struct seat, victim) : NULL;
}

static void collect(struct mail *m, void *reader)
{
    struct letter *letter = CONTAINER_OF(m, struct letter, mail);
    const struct worker *w = reader;
    struct seat *seat;
    while ((seat = next_victim(letter->commons, w->index)))
        letter->commons->evict(seat);
    free(letter);
}

static void post_letter(struct commons *c, const struct worker *to)
{
    struct letter *letter = xcalloc(1, sizeof *letter);
    letter->mail.deliver = collect;
    letter->commons = c;
    mailbox_post(to->mailbox, &letter->mail);
}

static void give(struct commons *c, struct seat *seat)
{
    for (unsigned i = 0; i < c->axes; i++)
        shares_give(c->shares[i], &seat->share[i]);
}

static void set_idle(struct commons *c, struct seat *seat, bool idle)
{
    for (unsigned i = 0; i < c->axes; i++)
        shares_set_idle(c->shares[i], &seat->share[i], idle);
}

/* Takes the place of the seat whose share of the axis @axis is @victim along all axes, and puts the
 * seat on the list of its worker. Sends a letter if the list was empty. */
static void condemn(struct commons *c, struct share *victim, unsigned axis)
{
    struct seat *seat = CONTAINER_OF(victim - axis, struct seat, share[0]);
    struct list_node *list = victims_of(c, seat->worker->index);
    give(c, seat);
    if (list_empty(list))
        post_letter(c, seat->worker);
    list_push(list, &seat->victim);
}

/* Takes a place of each axis. Returns false when an axis has none; the caller gives back those that
 * were taken. */
static bool take(struct commons *c, const struct who *who, struct seat *seat)
{
    for (unsigned i = 0; i < c->axes; i++)
        if (!shares_has_place(c->shares[i], &who[i]))
            return false;
    for (unsigned i = 0; i < c->axes; i++) {
        struct share *victim;
        if (!shares_take(c->shares[i], &who[i], &seat->share[i], &victim))
            return false;
        if (victim)
            condemn(c, victim, i);
    }
    return true;
}

bool commons_take(struct commons *c, struct worker *w, const struct who *who, struct seat *seat,
                  bool idle)
{
    seat->worker = w;
    if (!c)
        return true;
    pthread_mutex_lock(&c->lock);
    bool taken = take(c, who, seat);
    if (taken)
        set_idle(c, seat, idle);
    else
        give(c, seat);
    pthread_mutex_unlock(&c->lock);
    return taken;
}

void commons_hold(struct commons *c, struct worker *w, const struct who *who, struct seat *seat)
{
    seat->worker = w;
    if (!c)
        return;
    pthread_mutex_lock(&c->lock);
    CHECK_THAT(!list_linked(&seat->victim));
    for (unsigned i = 0; i < c->axes; i++)
        shares_hold(c->shares[i], &who[i], &seat->share[i]);
    pthread_mutex_unlock(&c->lock);
}

void commons_give(struct commons *c, struct seat *seat)
{
    if (!c)
        return;
    pthread_mutex_lock(&c->lock);
    list_remove(&seat->victim);
    give(c, seat);
    pthread_mutex_unlock(&c->lock);
}

void commons_set_idle(struct commons *c, struct seat *seat, bool idle)
{
    if (!c)
        return;
    pthread_mutex_lock(&c->lock);
    set_idle(c, seat, idle);
    pthread_mutex_unlock(&c->lock);
}

/* Gives one idle place up. Returns false when no place is idle along some axis. */
static bool evict_one(struct commons *c)
{
    for (unsigned i = 0; i < c->axes; i++) {
        struct share *victim = shares_evict(c->shares[i]);
        if (victim) {
            condemn(c, victim, i);
            return true;
        }
    }
    return false;
}

bool commons_evict(struct commons *c, size_t n)
{
    size_t done = 0;
    pthread_mutex_lock(&c->lock);
    while (done < n && evict_one(c))
        done++;
    pthread_mutex_unlock(&c->lock);
    return done > 0;
}

bool commons_resize(struct commons *c, size_t capacity)
{
    bool evicted = false;
    pthread_mutex_lock(&c->lock);
    for (unsigned i = 0; i < c->axes; i++)
        shares_resize(c->shares[i], capacity);
    while (shares_count(c->shares[0]) > capacity && evict_one(c))
        evicted = true;
    pthread_mutex_unlock(&c->lock);
    return evicted;
}

bool commons_has_most(struct commons *c, const struct who *who)
{
    bool has = false;
    pthread_mutex_lock(&c->lock);
    for (unsigned i = 0; i < c->axes; i++)
        has |= shares_has_most(c->shares[i], &who[i]);
    pthread_mutex_unlock(&c->lock);
    return has;
}

size_t commons_count(struct commons *c)
{
    pthread_mutex_lock(&c->lock);
    size_t n = shares_count(c->shares[0]);
    pthread_mutex_unlock(&c->lock);
    return n;
}
