/* SPDX-License-Identifier: MIT */
/* commons.c - keeps shares under a lock, and a list of victims for each worker; see commons.h. */
#include "src/worker/commons.h"

#include <pthread.h>
#include <stdlib.h>

#include "src/worker/mailbox.h"
#include "src/worker/worker.h"

struct commons {
    pthread_mutex_t lock; /* guards all below, and the seats */
    struct shares *shares;
    void (*evict)(struct seat *seat);
    struct list_node **victims; /* of seats: a list for each worker; the lists are owned */
    unsigned n_victims;
};

/* Tells a worker that it has victims. */
struct letter {
    struct mail mail;
    struct commons *commons; /* borrowed: outlives every mail */
};

struct commons *commons_new(size_t capacity, void (*evict)(struct seat *seat))
{
    struct commons *c = xcalloc(1, sizeof *c);
    pthread_mutex_init(&c->lock, NULL);
    c->shares = shares_new(capacity);
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
    shares_free(c->shares);
    pthread_mutex_destroy(&c->lock);
    free(c);
}

static struct list_node *victims_of(struct commons *c, unsigned worker)
{
    if (worker >= c->n_victims)
        c->victims = xrealloc(c->victims, (worker + 1) * sizeof *c->victims);
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

/* Puts the seat of @share on the list of its worker. Returns the worker if the list was empty, so
 * that it must get a letter; else NULL. */
static const struct worker *condemn(struct commons *c, struct share *share)
{
    struct seat *seat = CONTAINER_OF(share, struct seat, share);
    struct list_node *list = victims_of(c, seat->worker->index);
    bool first = list_empty(list);
    list_push(list, &seat->victim);
    return first ? seat->worker : NULL;
}

bool commons_take(struct commons *c, struct worker *w, const struct who *who, struct seat *seat,
                  bool idle)
{
    struct share *victim;
    const struct worker *tell = NULL;
    pthread_mutex_lock(&c->lock);
    bool taken = shares_take(c->shares, who, &seat->share, &victim);
    if (victim)
        tell = condemn(c, victim);
    if (taken) {
        seat->worker = w;
        shares_set_idle(c->shares, &seat->share, idle);
    }
    pthread_mutex_unlock(&c->lock);
    if (tell)
        post_letter(c, tell);
    return taken;
}

void commons_hold(struct commons *c, struct worker *w, const struct who *who, struct seat *seat)
{
    pthread_mutex_lock(&c->lock);
    CHECK_THAT(!list_linked(&seat->victim));
    shares_hold(c->shares, who, &seat->share);
    seat->worker = w;
    pthread_mutex_unlock(&c->lock);
}

void commons_give(struct commons *c, struct seat *seat)
{
    pthread_mutex_lock(&c->lock);
    list_remove(&seat->victim);
    shares_give(c->shares, &seat->share);
    pthread_mutex_unlock(&c->lock);
}

void commons_set_idle(struct commons *c, struct seat *seat, bool idle)
{
    pthread_mutex_lock(&c->lock);
    shares_set_idle(c->shares, &seat->share, idle);
    pthread_mutex_unlock(&c->lock);
}

size_t commons_count(struct commons *c)
{
    pthread_mutex_lock(&c->lock);
    size_t n = shares_count(c->shares);
    pthread_mutex_unlock(&c->lock);
    return n;
}
