/* worker.c - one loop's worth of the server: made empty, run, emptied. */
#include "src/worker.h"

#include <stdlib.h>

#include "src/edge.h"
#include "src/gate.h"
#include "src/link.h"
#include "src/listener.h"

struct worker *worker_new(struct server *s, unsigned index)
{
    struct loop *loop = loop_new();
    if (loop == NULL)
        return NULL;
    struct worker *w = xcalloc(1, sizeof(*w));
    w->loop = loop;
    w->server = s;
    w->index = index;
    list_init(&w->listeners);
    list_init(&w->gates);
    list_init(&w->edges);
    list_init(&w->links);
    list_init(&w->exchanges);
    return w;
}

static void each(struct list_node *head, void (*act)(struct list_node *node))
{
    LIST_FOREACH(it, head)
        act(it);
}

/* Until none is left: one that goes may take others of its kind with it. */
static void empty(struct list_node *head, void (*act)(struct list_node *node))
{
    while (!list_empty(head))
        act(head->next);
}

void worker_stop_listening(struct worker *w)
{
    empty(&w->listeners, listener_stop);
}

static void drain_link(struct list_node *node)
{
    link_drain(CONTAINER_OF(node, struct link, in_worker));
}

bool worker_is_answering(const struct worker *w)
{
    LIST_FOREACH (it, &w->edges)
        if (edge_is_busy(it))
            return true;
    return w->stats.exchanges_open > 0 || loop_is_speaking(w->loop);
}

static void close_link(struct list_node *node)
{
    link_close(CONTAINER_OF(node, struct link, in_worker), 0);
}

void worker_drain(struct worker *w)
{
    worker_stop_listening(w);
    empty(&w->gates, gate_stop);
    each(&w->edges, edge_drain);
    each(&w->links, drain_link);
}

void worker_stop(struct worker *w)
{
    worker_stop_listening(w);
    empty(&w->gates, gate_stop);
    empty(&w->edges, edge_stop);
    empty(&w->links, close_link);
}

void worker_free(struct worker *w)
{
    if (w == NULL)
        return;
    loop_free(w->loop);
    free(w);
}
