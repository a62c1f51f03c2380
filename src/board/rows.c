/* SPDX-License-Identifier: MIT */
/* rows.c - see rows.h. One pass over the exchanges counts what each tunnel has open. */
#include "src/board/rows.h"

#include <stdlib.h>

#include "h2mux/base/alloc.h"
#include "h2mux/base/clock.h"
#include "h2mux/base/map.h"
#include "src/tunnels/exchange.h"
#include "src/tunnels/link.h"
#include "src/tunnels/registry.h"

/* ---- what is open */

struct open {
    size_t open, websockets;
    uint64_t since_us;    /* when the oldest of them began */
    struct map addresses; /* the addresses of viewers */
};

struct count {
    struct map by_name;
    const char *name; /* of the only tunnel that counts, by addresses; NULL: all, by names */
};

static struct open *open_of(struct map *m, const char *key)
{
    struct open *o = map_get(m, slice_str(key));
    if (!o) {
        o = xcalloc(1, sizeof *o);
        map_init(&o->addresses);
        map_set(m, slice_str(key), o);
    }
    return o;
}

static void count_exchanges(struct worker *w, struct count *c)
{
    map_init(&c->by_name);
    LIST_FOREACH (it, &w->exchanges) {
        const struct exchange *x = CONTAINER_OF(it, struct exchange, node);
        const char *address = x->request.viewer->address;
        if (c->name && strcmp(c->name, x->name) != 0)
            continue;
        struct open *o = open_of(&c->by_name, c->name ? address : x->name);
        o->open++;
        o->websockets += x->state == EXCHANGE_UPGRADED;
        if (o->since_us == 0 || x->started_us < o->since_us)
            o->since_us = x->started_us;
        map_set(&o->addresses, slice_str(address), o);
    }
}

static void free_open(struct slice key, void *value, void *user)
{
    struct open *o = value;
    map_deinit(&o->addresses);
    free(o);
}

static void end_count(struct count *c)
{
    map_each(&c->by_name, free_open, NULL);
    map_deinit(&c->by_name);
}

static void count_one(struct slice key, void *value, void *user)
{
    ++*(size_t *)user;
}

static size_t addresses_of(const struct open *o)
{
    size_t n = 0;
    map_each(&o->addresses, count_one, &n);
    return n;
}

/* ---- rows */

static void add_number(cJSON *row, const char *name, uint64_t value)
{
    cJSON_AddNumberToObject(row, name, (double)value);
}

/* Adds the wall time at which the monotonic time @us was. */
static void add_since(cJSON *row, const struct worker *w, uint64_t us)
{
    char text[CLOCK_ISO_MAX];
    uint64_t now = loop_now_us(w->loop);
    clock_iso(clock_wall_s() - (int64_t)((now > us ? now - us : 0) / 1000000), text);
    cJSON_AddStringToObject(row, "since", text);
}

static void add_link(cJSON *links, const struct worker *w, const struct link *l)
{
    char peer[INET6_ADDRSTRLEN + 16];
    cJSON *row = cJSON_CreateObject();
    sock_address_text(sock_peer(h2_session_sock(l->session)), true, peer, sizeof peer);
    cJSON_AddStringToObject(row, "peer", peer);
    add_number(row, "slot", l->backend.slot);
    add_since(row, w, l->backend.begun_us);
    cJSON_AddNumberToObject(row, "round_trip_ms",
                            (double)h2_session_round_trip_us(l->session) / 1000);
    add_number(row, "open", h2_session_open_streams(l->session));
    cJSON_AddItemToArray(links, row);
}

struct listing {
    struct worker *worker;
    const struct rows_ask *ask;
    struct count count;
    struct map links; /* of each tunnel: an array that waits for its row */
    cJSON *out;
    size_t rows;
};

/* Makes an array of the links of each name. */
static void collect_links(struct listing *g)
{
    map_init(&g->links);
    LIST_FOREACH (it, &g->worker->links) {
        const struct link *l = CONTAINER_OF(it, struct link, in_worker);
        cJSON *links = map_get(&g->links, slice_str(l->name));
        if (!links) {
            links = cJSON_CreateArray();
            map_set(&g->links, slice_str(l->name), links);
        }
        add_link(links, g->worker, l);
    }
}

/* Returns how many sockets an old client serves @t by. */
static size_t old_sockets(const struct tunnel *t)
{
    size_t n = 0;
    LIST_FOREACH (it, &t->backends)
        n += CONTAINER_OF(it, struct backend, in_tunnel)->sockets;
    return n;
}

static void add_tunnel(struct tunnel *t, void *user)
{
    struct listing *g = user;
    if (strcmp(t->name, g->ask->after) <= 0 || g->rows > ROWS_MAX)
        return;
    const struct open *o = map_get(&g->count.by_name, slice_str(t->name));
    cJSON *row = cJSON_CreateObject(), *links = map_remove(&g->links, slice_str(t->name));
    cJSON_AddStringToObject(row, "name", t->name);
    cJSON_AddStringToObject(row, "state", tunnel_state_name(t->state));
    add_number(row, "waiting", t->queue.n);
    add_number(row, "requests", t->exchanges);
    add_number(row, "viewers", o ? addresses_of(o) : 0);
    add_number(row, "open", o ? o->open : 0);
    add_number(row, "websockets", o ? o->websockets : 0);
    add_number(row, "rx_octets", t->rx_octets);
    add_number(row, "tx_octets", t->tx_octets);
    add_number(row, "old_sockets", old_sockets(t));
    cJSON_AddItemToObject(row, "links", links ? links : cJSON_CreateArray());
    cJSON_AddItemToArray(g->out, row);
    g->rows++;
}

static void free_links(struct slice key, void *value, void *user)
{
    cJSON_Delete(value);
}

void rows_tunnels(struct worker *w, const struct rows_ask *ask, cJSON *out)
{
    struct listing g = {.worker = w, .ask = ask, .out = out};
    count_exchanges(w, &g.count);
    collect_links(&g);
    registry_each(w->registry, add_tunnel, &g);
    map_each(&g.links, free_links, NULL);
    map_deinit(&g.links);
    end_count(&g.count);
}

static void add_viewer(struct slice address, void *value, void *user)
{
    struct listing *g = user;
    const struct open *o = value;
    char text[TRUST_ADDRESS_MAX];
    if (g->rows == ROWS_MAX)
        return;
    cJSON *row = cJSON_CreateObject();
    snprintf(text, sizeof text, "%.*s", SLICE_FMT(address));
    cJSON_AddStringToObject(row, "address", text);
    add_number(row, "open", o->open);
    add_number(row, "websockets", o->websockets);
    add_since(row, g->worker, o->since_us);
    cJSON_AddItemToArray(g->out, row);
    g->rows++;
}

void rows_viewers(struct worker *w, const struct rows_ask *ask, cJSON *out)
{
    struct listing g = {.worker = w, .count = {.name = ask->name}, .out = out};
    count_exchanges(w, &g.count);
    map_each(&g.count.by_name, add_viewer, &g);
    end_count(&g.count);
}

/* ---- the rows of all workers */

static int compare(const void *a, const void *b)
{
    const cJSON *x = *(cJSON *const *)a, *y = *(cJSON *const *)b;
    return strcmp(cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(x, "name")),
                  cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(y, "name")));
}

bool rows_cut(cJSON *rows)
{
    size_t n = (size_t)cJSON_GetArraySize(rows), at = 0;
    cJSON **all = xcalloc(n + 1, sizeof(cJSON *));
    while (rows->child)
        all[at++] = cJSON_DetachItemViaPointer(rows, rows->child);
    qsort(all, n, sizeof(cJSON *), compare);
    for (size_t i = 0; i < n; i++)
        if (i < ROWS_MAX)
            cJSON_AddItemToArray(rows, all[i]);
        else
            cJSON_Delete(all[i]);
    free(all);
    return n > ROWS_MAX;
}
