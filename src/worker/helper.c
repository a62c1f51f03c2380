/* SPDX-License-Identifier: MIT */
/* helper.c - see helper.h. */
#include "src/worker/helper.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#include "h2mux/base/alloc.h"
#include "h2mux/base/err.h"

struct helper {
    pthread_t thread;
    bool running; /* the thread was started */

    pthread_mutex_t lock; /* guards the rest */
    pthread_cond_t wake;
    struct list_node errands; /* that wait, by their turns */
    uint64_t turn;            /* of the errand that began last */
    size_t count;
    bool ending;
};

static struct errand *errand_at(struct list_node *n)
{
    return n ? CONTAINER_OF(n, struct errand, node) : NULL;
}

static void *work(void *user)
{
    struct helper *h = user;
    pthread_mutex_lock(&h->lock);
    while (!h->ending) {
        struct errand *e = errand_at(list_pop(&h->errands));
        if (!e) {
            pthread_cond_wait(&h->wake, &h->lock);
            continue;
        }
        h->count--;
        h->turn = e->turn;
        pthread_mutex_unlock(&h->lock);
        e->run(e);
        e->done = true;
        mailbox_post(e->back, &e->mail);
        pthread_mutex_lock(&h->lock);
    }
    pthread_mutex_unlock(&h->lock);
    return NULL;
}

struct helper *helper_new(void)
{
    struct helper *h = xcalloc(1, sizeof *h);
    if (pthread_mutex_init(&h->lock, NULL) != 0 || pthread_cond_init(&h->wake, NULL) != 0)
        abort();
    list_init(&h->errands);
    return h;
}

int helper_start(struct helper *h)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before); /* signals are for worker 0 */
    h->running = pthread_create(&h->thread, NULL, work, h) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return h->running ? 0 : ERR_IO;
}

void helper_free(struct helper *h)
{
    if (!h)
        return;
    pthread_mutex_lock(&h->lock);
    h->ending = true;
    pthread_cond_signal(&h->wake);
    pthread_mutex_unlock(&h->lock);
    if (h->running)
        pthread_join(h->thread, NULL);
    for (struct errand *e; (e = errand_at(list_pop(&h->errands)));)
        mailbox_post(e->back, &e->mail);
    pthread_cond_destroy(&h->wake);
    pthread_mutex_destroy(&h->lock);
    free(h);
}

static bool is_same(const struct who *a, const struct who *b)
{
    return a->depth > 0 && a->depth == b->depth &&
           address_eq(&a->at[a->depth - 1], &b->at[b->depth - 1]);
}

/* Gives @e its turn: behind as many rounds as errands of the same viewer, or of the same name, wait
 * already. Puts it behind those that have the same turn. */
static void queue(struct helper *h, struct errand *e)
{
    size_t ahead[HELPER_AXES] = {0};
    struct list_node *before = &h->errands;
    LIST_FOREACH (it, &h->errands)
        for (size_t i = 0; i < HELPER_AXES; i++)
            ahead[i] += is_same(&errand_at(it)->of[i], &e->of[i]);
    e->turn = h->turn + (ahead[0] > ahead[1] ? ahead[0] : ahead[1]);
    while (before->prev != &h->errands && errand_at(before->prev)->turn > e->turn)
        before = before->prev;
    list_insert_before(before, &e->node);
}

bool helper_send(struct helper *h, struct errand *e)
{
    pthread_mutex_lock(&h->lock);
    bool room = h->count < HELPER_ERRANDS_MAX && !h->ending;
    if (room) {
        h->count++;
        queue(h, e);
        pthread_cond_signal(&h->wake);
    }
    pthread_mutex_unlock(&h->lock);
    return room;
}

bool helper_take_back(struct helper *h, struct errand *e)
{
    pthread_mutex_lock(&h->lock);
    bool waits = list_linked(&e->node);
    if (waits) {
        h->count--;
        list_remove(&e->node);
    }
    pthread_mutex_unlock(&h->lock);
    return waits;
}
