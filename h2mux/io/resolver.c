/* SPDX-License-Identifier: MIT */
/* resolver.c - hands queries to a thread and brings the answers to the loop. See resolver.h.
 *
 * The mutex guards the two lists and the flags; only the loop's thread uses `on_answer`. A resolver
 * that is freed while a lookup hangs is left to its thread, which frees the resolver when the
 * lookup returns. */

/* draw: a lookup
 *
 *   ASKED (on r->asked) ──thread──▶ running ──▶ ANSWERED (on r->answered) ──wake──▶ told */
#include "h2mux/io/resolver.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "h2mux/base/err.h"
#include "h2mux/base/kernel.h"
#include "h2mux/io/sandbox.h"

struct resolver_query {
    struct resolver *resolver; /* borrowed; frees its queries at its own end */
    /* The node is in r->asked or r->answered, and in neither while the thread looks the name up. */
    struct list_node node;
    resolver_on_answer on_answer; /* NULL once cancelled */
    void *user;                   /* borrowed; cancels the query before its own end */
    char *host;                   /* owned */
    uint16_t port;
    struct addrinfo *list; /* owned: the answer */
    int error;             /* EAI_* */
    int why; /* of an error: errno of getaddrinfo, or of a descriptor that is missing */
};

struct resolver {
    struct event event;
    int wake; /* kernel_wake: an answer is ready */
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t work;
    struct list_node asked, answered;
    const struct sandbox *sandbox; /* borrowed: the thread is to enter it; NULL: it has */
    bool busy, stop;
};

static void query_free(struct resolver_query *q)
{
    if (q->list)
        freeaddrinfo(q->list);
    free(q->host);
    free(q);
}

static void free_queries(struct list_node *head)
{
    LIST_FOREACH (n, head)
        query_free(CONTAINER_OF(n, struct resolver_query, node));
    list_init(head);
}

static void destroy(struct resolver *r)
{
    free_queries(&r->asked);
    free_queries(&r->answered);
    pthread_cond_destroy(&r->work);
    pthread_mutex_destroy(&r->lock);
    close(r->wake);
    free(r);
}

static int lookup(const char *host, uint16_t port, int flags, struct addrinfo **out)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = flags | AI_NUMERICSERV};
    char service[8];
    snprintf(service, sizeof service, "%u", port);
    return getaddrinfo(host, service, &hints, out);
}

/* Returns why a lookup failed with @error: errno of getaddrinfo, or EMFILE or ENFILE if no
 * descriptor is to be had. Without one getaddrinfo reads neither files nor sockets, and says that
 * there is no such name. */
static int why_failed(int error, int of_lookup)
{
    if (error == EAI_MEMORY)
        return ENOMEM;
    if (error == EAI_SYSTEM)
        return of_lookup;
    return kernel_next_descriptor() < 0 ? errno : 0;
}

static void answer(struct resolver *r, struct resolver_query *q)
{
    list_push(&r->answered, &q->node);
    if (kernel_wake_ring(r->wake) < 0)
        abort(); /* cannot be: it is our descriptor */
}

static void *run(void *arg)
{
    struct resolver *r = arg;
    pthread_mutex_lock(&r->lock);
    while (!r->stop) {
        const struct sandbox *sandbox = r->sandbox;
        if (sandbox) {
            r->sandbox = NULL;
            pthread_mutex_unlock(&r->lock);
            sandbox_enter_thread(sandbox);
            pthread_mutex_lock(&r->lock);
            continue;
        }
        struct list_node *n = list_pop(&r->asked);
        if (!n) {
            pthread_cond_wait(&r->work, &r->lock);
            continue;
        }
        struct resolver_query *q = CONTAINER_OF(n, struct resolver_query, node);
        r->busy = true;
        pthread_mutex_unlock(&r->lock);
        q->error = lookup(q->host, q->port, AI_ADDRCONFIG, &q->list);
        q->why = q->error == 0 ? 0 : why_failed(q->error, errno);
        pthread_mutex_lock(&r->lock);
        answer(r, q);
        if (r->stop) { /* resolver_free did not wait, so this thread frees @r */
            pthread_mutex_unlock(&r->lock);
            destroy(r);
            return NULL;
        }
        r->busy = false;
    }
    pthread_mutex_unlock(&r->lock);
    return NULL;
}

static void tell(const struct resolver_query *q)
{
    if (q->error == 0)
        q->on_answer(q->user, q->list, ERR_OK, NULL);
    else if (errno_is_shortage(q->why))
        q->on_answer(q->user, NULL, ERR_SHORT, strerror(q->why));
    else
        q->on_answer(q->user, NULL, ERR_DNS, gai_strerror(q->error));
}

static void on_wake(evutil_socket_t fd, short what, void *arg)
{
    struct resolver *r = arg;
    if (!kernel_wake_heed(fd))
        return;
    pthread_mutex_lock(&r->lock);
    for (struct list_node *n; (n = list_pop(&r->answered));) {
        struct resolver_query *q = CONTAINER_OF(n, struct resolver_query, node);
        pthread_mutex_unlock(&r->lock);
        if (q->on_answer)
            tell(q);
        query_free(q);
        pthread_mutex_lock(&r->lock);
    }
    pthread_mutex_unlock(&r->lock);
}

/* Starts the thread with all signals blocked, so that the loop's thread gets them. Returns 0 or an
 * errno value. */
static int start_thread(struct resolver *r)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int err = pthread_create(&r->thread, NULL, run, r);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return err;
}

struct resolver *resolver_new(struct loop *l)
{
    struct resolver *r = xcalloc(1, sizeof *r);
    list_init(&r->asked);
    list_init(&r->answered);
    pthread_mutex_init(&r->lock, NULL);
    pthread_cond_init(&r->work, NULL);
    r->wake = kernel_wake_new();
    if (r->wake < 0)
        goto fail;
    if (event_assign(&r->event, loop_base(l), r->wake, EV_READ | EV_PERSIST, on_wake, r) < 0 ||
        event_add(&r->event, NULL) < 0)
        goto fail_wake;
    int err = start_thread(r);
    if (err == 0)
        return r;
    errno = err;
    event_del(&r->event);
fail_wake:
    close(r->wake);
fail:
    pthread_cond_destroy(&r->work);
    pthread_mutex_destroy(&r->lock);
    free(r);
    return NULL;
}

void resolver_free(struct resolver *r)
{
    if (!r)
        return;
    event_del(&r->event);
    pthread_mutex_lock(&r->lock);
    r->stop = true;
    bool orphan = r->busy;
    if (orphan)
        pthread_detach(r->thread);
    pthread_cond_signal(&r->work);
    pthread_t thread = r->thread;
    pthread_mutex_unlock(&r->lock);
    if (orphan)
        return;
    pthread_join(thread, NULL);
    destroy(r);
}

void resolver_enter(struct resolver *r, const struct sandbox *s)
{
    pthread_mutex_lock(&r->lock);
    r->sandbox = s;
    pthread_cond_signal(&r->work);
    pthread_mutex_unlock(&r->lock);
}

struct resolver_query *resolver_ask(struct resolver *r, const char *host, uint16_t port,
                                    resolver_on_answer on_answer, void *user)
{
    struct resolver_query *q = xcalloc(1, sizeof *q);
    q->resolver = r;
    q->host = xstrdup(host);
    q->port = port;
    q->on_answer = on_answer;
    q->user = user;
    pthread_mutex_lock(&r->lock);
    list_push(&r->asked, &q->node);
    pthread_cond_signal(&r->work);
    pthread_mutex_unlock(&r->lock);
    return q;
}

void resolver_cancel(struct resolver_query *q)
{
    if (!q)
        return;
    pthread_mutex_lock(&q->resolver->lock);
    q->on_answer = NULL;
    bool running = !list_linked(&q->node);
    list_remove(&q->node);
    pthread_mutex_unlock(&q->resolver->lock);
    /* A query that the thread has begun is freed by on_wake, any other at once. */
    if (!running)
        query_free(q);
}

struct addrinfo *resolver_literal(const char *host, uint16_t port)
{
    struct addrinfo *list = NULL;
    return lookup(host, port, AI_NUMERICHOST, &list) == 0 ? list : NULL;
}
