/* SPDX-License-Identifier: MIT */
/* entry.c - works out how many descriptors the process may give to viewers, and counts them; see
 * entry.h. */
#include "src/edge/entry.h"

#include <stdlib.h>
#include <sys/resource.h>

#include "h2mux/base/kernel.h"
#include "h2mux/base/log.h"
#include "src/worker/worker.h"

enum {
    SPARE = 8,             /* for files that are opened for a moment */
    LEAST = 4,             /* places in the pool, and at the door */
    DOOR_PART = 8,         /* an eighth of the descriptors is at the door ... */
    DOOR_MOST = 256,       /* ... but no more than this */
    OWN_IF_UNKNOWN = 64,   /* descriptors of the program itself, when the kernel says nothing */
    MADE_ROOM_AT_ONCE = 4, /* connections that are given up when the system refuses one */
    SHORT_ANSWER = 4096    /* bytes that leave with the end of the turn, before an eviction */
};

/* ---- the size of the pools */

static size_t count_open(void)
{
    size_t n = kernel_open_descriptors();
    return n > 0 ? n : OWN_IF_UNKNOWN;
}

/* Returns how many descriptors viewers and links may have. */
static size_t count_available(const struct server *s)
{
    struct rlimit r;
    size_t own = s->own_descriptors + SPARE;
    if (getrlimit(RLIMIT_NOFILE, &r) < 0 || r.rlim_cur < own + 2 * LEAST)
        return 2 * LEAST;
    return r.rlim_cur - own;
}

static size_t door_of(size_t available)
{
    size_t door = available / DOOR_PART;
    door = door < LEAST ? LEAST : door;
    return door < DOOR_MOST ? door : DOOR_MOST;
}

static void evict_seat(struct seat *seat)
{
    struct entry *e = CONTAINER_OF(seat, struct entry, seat);
    e->evict(e);
}

void entry_open(struct server *s, size_t more)
{
    s->own_descriptors = count_open() + more;
    size_t available = count_available(s), door = door_of(available);
    s->door = commons_new(door, 1, evict_seat);
    s->descriptors = commons_new(available - door, 1, evict_seat);
}

void entry_close(struct server *s)
{
    commons_free(s->descriptors);
    commons_free(s->door);
    s->descriptors = s->door = NULL;
}

bool entry_make_room(struct server *s)
{
    size_t available = count_available(s), door = door_of(available);
    if (!s->descriptors)
        return false;
    bool fewer = commons_resize(s->descriptors, available - door);
    fewer |= commons_resize(s->door, door);
    return commons_evict(s->descriptors, MADE_ROOM_AT_ONCE) || fewer;
}

/* ---- one connection */

static struct commons *pool_of(const struct entry *e)
{
    struct server *s = e->worker->server;
    return e->at_door ? s->door : s->descriptors;
}

static struct who begin(struct entry *e, struct worker *w, const struct sockaddr *peer,
                        void (*evict)(struct entry *e))
{
    struct who who = who_of_peer(w->server->trust, peer);
    *e = (struct entry){.worker = w, .known = who.depth > 0, .evict = evict};
    return who;
}

bool entry_take(struct entry *e, struct worker *w, const struct sockaddr *peer,
                void (*evict)(struct entry *e))
{
    struct who who = begin(e, w, peer, evict);
    e->idle = true;
    if (commons_take(w->server->descriptors, w, &who, &e->seat, true))
        return true;
    e->at_door = true;
    return commons_take(w->server->door, w, &who, &e->seat, true);
}

void entry_keep(struct entry *e, struct worker *w, const struct sockaddr *peer,
                void (*evict)(struct entry *e))
{
    struct who who = begin(e, w, peer, evict);
    if (commons_take(w->server->descriptors, w, &who, &e->seat, false))
        return;
    e->at_door = true;
    commons_hold(w->server->door, w, &who, &e->seat);
}

void entry_give(struct entry *e)
{
    if (e->worker)
        commons_give(pool_of(e), &e->seat);
    e->known = false;
}

/* A connection that has no other owner any more. */
struct finishing {
    struct entry entry;
    struct sock *sock; /* borrowed: ends this when it is closed */
};

static void on_closed(void *user)
{
    struct finishing *f = user;
    entry_give(&f->entry);
    free(f);
}

static void close_finishing(struct entry *e)
{
    sock_close(CONTAINER_OF(e, struct finishing, entry)->sock);
}

void entry_finish(struct worker *w, struct sock *sock)
{
    struct finishing *f = xcalloc(1, sizeof *f);
    f->sock = sock;
    if (!sock_watch_finishing(sock, on_closed, f)) {
        free(f);
        return;
    }
    entry_keep(&f->entry, w, sock_peer(sock), close_finishing);
    entry_set_idle(&f->entry, sock_queued(sock) <= SHORT_ANSWER);
}

void entry_set_idle(struct entry *e, bool idle)
{
    if (!e->known || e->idle == idle)
        return;
    e->idle = idle;
    commons_set_idle(pool_of(e), &e->seat, idle);
}

bool entry_pass_door(struct entry *e, const struct sockaddr *peer)
{
    if (!e->at_door)
        return true;
    entry_give(e);
    entry_keep(e, e->worker, peer, e->evict);
    return !e->at_door;
}
