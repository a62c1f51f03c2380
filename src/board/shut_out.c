/* SPDX-License-Identifier: MIT */
/* shut_out.c - see shut_out.h. The end of one object may end others. All that are to end are noted
 * before: what has ended is freed at the end of the turn, so a note of it stays good. */
#include "src/board/shut_out.h"

#include <stdlib.h>

#include "h2mux/base/alloc.h"
#include "src/limits/address.h"
#include "src/tunnels/exchange.h"
#include "src/tunnels/link.h"
#include "src/tunnels/raw.h"

static bool is_viewer(const struct ban *ban, const struct exchange *x)
{
    struct address of;
    bool known = address_of_viewer(x->request.viewer, &of);
    return ban_is_of(ban, slice_str(x->name), known ? &of : NULL, false);
}

/* The address of a client behind a trusted proxy is not known any more. */
static bool is_client(const struct ban *ban, const struct worker *w, const struct link *l)
{
    const struct sockaddr *peer = sock_peer(h2_session_sock(l->session));
    struct address of;
    bool known = !trust_has(w->server->trust, peer) && address_of_peer(peer, &of);
    return ban_is_of(ban, slice_str(l->name), known ? &of : NULL, true);
}

static size_t end_viewers(struct worker *w, const struct ban *ban)
{
    struct exchange **of = xcalloc(list_count(&w->exchanges) + 1, sizeof(struct exchange *));
    size_t n = 0, ended = 0;
    LIST_FOREACH (it, &w->exchanges) {
        struct exchange *x = CONTAINER_OF(it, struct exchange, node);
        if (is_viewer(ban, x))
            of[n++] = x;
    }
    for (size_t i = 0; i < n; i++) {
        ended += of[i]->state != EXCHANGE_DEAD;
        exchange_bar(of[i]);
    }
    free(of);
    return ended;
}

static size_t end_clients(struct worker *w, const struct ban *ban)
{
    struct link **of = xcalloc(list_count(&w->links) + 1, sizeof(struct link *));
    size_t n = 0, ended = 0;
    LIST_FOREACH (it, &w->links) {
        struct link *l = CONTAINER_OF(it, struct link, in_worker);
        if (is_client(ban, w, l))
            of[n++] = l;
    }
    for (size_t i = 0; i < n; i++)
        if (of[i]->state != LINK_DEAD) {
            link_close(of[i], H2_NO_ERROR);
            ended++;
        }
    free(of);
    return ended;
}

size_t shut_out(struct worker *w, const struct ban *ban)
{
    return end_viewers(w, ban) + end_clients(w, ban) + raw_shut_out(w, ban);
}
