/* SPDX-License-Identifier: MIT */
/* sockets.c - see sockets.h. */
#include "src/sockets.h"

#include <stdio.h>
#include <stdlib.h>

#include "src/edge/entry.h"
#include "src/edge/listener.h"

/* Binds all values of @list. Returns as sockets_open does. */
static const char *bind_list(struct sockets *s, const struct opt_list *list, unsigned workers,
                             char reason[static BINDING_REASON_MAX])
{
    for (size_t i = 0; i < list->count; i++, s->bound++)
        if (binding_open(&s->bindings[s->bound], list->item[i], list, workers, &s->passed, reason) <
            0)
            return list->item[i];
    return NULL;
}

const char *sockets_open(struct sockets *s, const struct config *c, unsigned workers,
                         char reason[static BINDING_REASON_MAX])
{
    const struct opt_list *listen = &c->listen.addresses, *redirect = &c->listen.redirects;
    s->bindings = xcalloc(listen->count + redirect->count, sizeof *s->bindings);
    s->first_redirect = listen->count;
    char text[PASSED_TEXT_MAX];
    passed_open(&s->passed);
    const char *failed = bind_list(s, listen, workers, reason);
    if (!failed)
        failed = bind_list(s, redirect, workers, reason);
    if (failed || !passed_rest(&s->passed, text))
        return failed;
    snprintf(reason, BINDING_REASON_MAX, "no --listen and no --redirect names %s", text);
    return "LISTEN_FDS";
}

void sockets_listen(struct sockets *s, struct server *server)
{
    size_t sockets = 0;
    for (size_t i = 0; i < s->bound; i++)
        sockets += s->bindings[i].n * s->bindings[i].count;
    entry_open(server, sockets); /* each listener has a reserve */
    for (size_t i = 0; i < s->bound; i++) {
        struct binding *b = &s->bindings[i];
        bool redirects = i >= s->first_redirect;
        for (size_t k = 0; k < b->n * b->count; k++)
            listener_start(server->workers[k % b->count], b->fds[k], redirects);
        for (size_t k = 0; k < b->n; k++)
            listener_announce(b->fds[k * b->count], redirects);
        server->ports_kept |= b->passed;
        binding_deinit(b);
    }
    s->bound = 0;
}

void sockets_close(struct sockets *s)
{
    while (s->bound > 0)
        binding_close(&s->bindings[--s->bound]);
    free(s->bindings);
    passed_close(&s->passed);
}
