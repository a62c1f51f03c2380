/* SPDX-License-Identifier: MIT */
/* directory.c - keeps a map of names and a map of addresses under one lock; see directory.h. */
#include "src/names/directory.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "h2mux/base/check.h"
#include "h2mux/base/err.h"
#include "h2mux/base/map.h"

struct entry {
    int worker;
    bool remember;
    bool counted; /* for the address `from` */
    struct address from;
    struct held_name held;
    char *domain; /* owned; NULL: none */
    char *policy; /* likewise: its text */
};

/* An address or a token that holds names. */
struct holder {
    uint64_t names;
    uint64_t seen; /* scratch of directory_check */
};

/* When the directory holds more names than this, directory_check (CHECK=1) visits all of them only
 * if their number is a multiple of this. */
enum { CHECK_ALL_MAX = 256 };

struct directory {
    pthread_rwlock_t lock; /* guards the maps, `live` and `changed` */
    struct map names;      /* of struct entry, owned */

    /* Maps the bytes of a struct address to an owned struct holder. An address without names has no
     * entry, so this map never has more entries than the map of names. */
    struct map holders;
    struct map tokens;  /* likewise for IDs of tokens */
    struct map domains; /* of the struct entry that has it, borrowed from `names` */

    uint64_t per_address;    /* 0: no limit, and nothing is counted */
    size_t live;             /* names that are live */
    struct reserve *reserve; /* owned; has a lock of its own */
    bool changed;            /* on_change was called since the last directory_print */
    void (*on_change)(void *user);
    void *user; /* borrowed: outlives the directory */
};

struct directory *directory_new(uint64_t per_address, void (*on_change)(void *user), void *user)
{
    struct directory *d = xcalloc(1, sizeof *d);
    if (pthread_rwlock_init(&d->lock, NULL) != 0)
        abort();
    map_init(&d->names);
    map_init(&d->holders);
    map_init(&d->tokens);
    map_init(&d->domains);
    d->per_address = per_address;
    d->reserve = reserve_new();
    d->on_change = on_change;
    d->user = user;
    return d;
}

static void free_entry(struct slice key, void *value, void *user)
{
    struct entry *e = value;
    free(e->domain);
    free(e->policy);
    free(e);
}

static void free_value(struct slice key, void *value, void *user)
{
    free(value);
}

void directory_watch(struct directory *d, void (*on_change)(void *user), void *user)
{
    d->on_change = on_change;
    d->user = user;
}

void directory_free(struct directory *d)
{
    if (!d)
        return;
    map_deinit(&d->domains);
    map_each(&d->names, free_entry, NULL);
    map_deinit(&d->names);
    map_each(&d->holders, free_value, NULL);
    map_deinit(&d->holders);
    map_each(&d->tokens, free_value, NULL);
    map_deinit(&d->tokens);
    reserve_free(d->reserve);
    pthread_rwlock_destroy(&d->lock);
    free(d);
}

struct reserve *directory_reserve(const struct directory *d)
{
    return d->reserve;
}

/* ---- checks */

static struct slice holder_key(const struct address *a)
{
    return slice_make((const char *)a, sizeof *a);
}

static bool is_live(const struct entry *e)
{
    return e->held.until == 0;
}

static void forget_seen(struct slice key, void *value, void *user)
{
    struct holder *h = value;
    h->seen = 0;
}

struct check_walk {
    const struct directory *directory;
    size_t live;
};

static void see(struct holder *h)
{
    CHECK_THAT(h);
    h->seen++;
}

static void check_entry(struct slice key, void *value, void *user)
{
    const struct entry *e = value;
    struct check_walk *walk = user;
    bool noted = e->held.name[0] != '\0';
    walk->live += is_live(e);
    CHECK_THAT(!noted || slice_eq(key, slice_str(e->held.name)));
    CHECK_THAT(noted || !e->remember);
    if (e->domain)
        CHECK_THAT(map_get(&walk->directory->domains, slice_str(e->domain)) == e);
    if (e->held.token[0])
        see(map_get(&walk->directory->tokens, slice_str(e->held.token)));
    if (e->counted)
        see(map_get(&walk->directory->holders, holder_key(&e->from)));
}

static void check_holder(struct slice key, void *value, void *user)
{
    const struct holder *h = value;
    CHECK_THAT(h->names > 0);
    CHECK_THAT(h->names == h->seen);
}

/* Checks the invariants while the caller holds the lock for writing. */
static void directory_check(const struct directory *d)
{
    struct check_walk walk = {.directory = d};
    CHECK_THAT(d->names.count <= DIRECTORY_MAX);
    CHECK_THAT(d->live <= d->names.count);
    CHECK_THAT(d->holders.count <= d->names.count);
    CHECK_THAT(d->tokens.count <= d->names.count);
    CHECK_THAT(d->domains.count <= d->names.count);
    CHECK_THAT(d->per_address > 0 || d->holders.count == 0);
    if (d->names.count > CHECK_ALL_MAX && d->names.count % CHECK_ALL_MAX != 0)
        return;
    map_each(&d->holders, forget_seen, NULL);
    map_each(&d->tokens, forget_seen, NULL);
    map_each(&d->names, check_entry, &walk);
    map_each(&d->holders, check_holder, NULL);
    map_each(&d->tokens, check_holder, NULL);
    CHECK_THAT(walk.live == d->live);
}

/* Checks the invariants (CHECK=1) and releases the lock, which was held for writing. */
static void unlock_written(struct directory *d)
{
    if (CHECKING)
        directory_check(d);
    pthread_rwlock_unlock(&d->lock);
}

/* ---- look-up */

int directory_find(struct directory *d, struct slice name)
{
    pthread_rwlock_rdlock(&d->lock);
    const struct entry *e = map_get(&d->names, name);
    int worker = e ? e->worker : DIRECTORY_NOBODY;
    pthread_rwlock_unlock(&d->lock);
    return worker;
}

/* ---- names of an address and of a token */

/* Counts one name more for @key. */
static void add_to(struct map *holders, struct slice key)
{
    struct holder *h = map_get(holders, key);
    if (!h) {
        h = xcalloc(1, sizeof *h);
        map_set(holders, key, h);
    }
    h->names++;
}

static void take_from(struct map *holders, struct slice key)
{
    struct holder *h = map_get(holders, key);
    if (--h->names == 0)
        free(map_remove(holders, key));
}

/* Lets the name of @e count for the token @id, which may be empty, and no longer for another. */
static void count_for_token(struct directory *d, struct entry *e, struct slice id)
{
    char token[sizeof e->held.token];
    if (slice_eq(slice_str(e->held.token), id))
        return;
    if (e->held.token[0])
        take_from(&d->tokens, slice_str(e->held.token));
    snprintf(token, sizeof token, "%.*s", SLICE_FMT(id));
    memcpy(e->held.token, token, sizeof token);
    if (token[0])
        add_to(&d->tokens, slice_str(token));
}

/* Returns whether the token of @by may have the name of @e, which is NULL for a new name. */
static bool token_may_have(const struct directory *d, const struct entry *e,
                           const struct claimant *by)
{
    if (by->token_max == 0 || !by->token || (e && strcmp(e->held.token, by->token) == 0))
        return true;
    const struct holder *h = map_get(&d->tokens, slice_str(by->token));
    return !h || h->names < by->token_max;
}

static bool may_hold_another(const struct directory *d, const struct address *from)
{
    if (d->per_address == 0 || !from)
        return true;
    const struct holder *h = map_get(&d->holders, holder_key(from));
    return !h || h->names < d->per_address;
}

/* Counts the name of @e for the address @from. Does nothing when the name counts for an address
 * already, when @from is NULL, or when there is no limit. */
static void count_for(struct directory *d, struct entry *e, const struct address *from)
{
    if (d->per_address == 0 || !from || e->counted)
        return;
    add_to(&d->holders, holder_key(from));
    e->counted = true;
    e->from = *from;
}

static void uncount(struct directory *d, struct entry *e)
{
    count_for_token(d, e, SLICE(""));
    if (e->counted)
        take_from(&d->holders, holder_key(&e->from));
}

/* ---- claims */

static int claim_locked(struct directory *d, struct slice name, int worker,
                        const struct claimant *by)
{
    struct entry *e = map_get(&d->names, name);
    if (e && e->worker != worker)
        return ERR_TAKEN;
    if (!e && d->names.count >= DIRECTORY_MAX)
        return ERR_LIMIT;
    if (!e && !may_hold_another(d, by->from))
        return ERR_ABUSE;
    if (!token_may_have(d, e, by))
        return ERR_DENIED;
    if (!e) {
        e = xcalloc(1, sizeof *e);
        e->worker = worker;
        e->held.until = 1; /* any time but 0, which means live */
        map_set(&d->names, name, e);
    }
    count_for(d, e, by->from);
    if (by->token)
        count_for_token(d, e, slice_str(by->token));
    return ERR_OK;
}

int directory_claim(struct directory *d, struct slice name, int worker, const struct claimant *by)
{
    static const struct claimant nobody = {.from = NULL};
    pthread_rwlock_wrlock(&d->lock);
    int err = claim_locked(d, name, worker, by ? by : &nobody);
    unlock_written(d);
    return err;
}

/* Releases the lock after a change. Then calls on_change, unless that was called since the last
 * directory_print. */
static void unlock_changed(struct directory *d)
{
    bool first = !d->changed;
    d->changed = true;
    unlock_written(d);
    if (first && d->on_change)
        d->on_change(d->user);
}

/* ---- domains */

static void drop_domain(struct directory *d, struct entry *e)
{
    if (e->domain)
        map_remove(&d->domains, slice_str(e->domain));
    free(e->domain);
    e->domain = NULL;
}

/* Gives a domain to the entry of a name that was noted. */
static int set_domain(struct directory *d, struct entry *e, struct slice host)
{
    struct entry *other = host.len > 0 ? map_get(&d->domains, host) : NULL;
    if (!e || !e->held.name[0])
        return ERR_NOT_FOUND;
    if (other && other != e && is_live(other))
        return ERR_TAKEN;
    if (other && other != e)
        drop_domain(d, other);
    drop_domain(d, e);
    if (host.len > 0) {
        e->domain = slice_dup(host);
        map_set(&d->domains, host, e);
    }
    return 0;
}

int directory_set_domain(struct directory *d, struct slice name, struct slice host)
{
    pthread_rwlock_wrlock(&d->lock);
    int err = set_domain(d, map_get(&d->names, name), host);
    unlock_changed(d);
    return err;
}

void directory_set_policy(struct directory *d, struct slice name, struct slice text)
{
    pthread_rwlock_wrlock(&d->lock);
    struct entry *e = map_get(&d->names, name);
    if (e) {
        free(e->policy);
        e->policy = text.len > 0 ? slice_dup(text) : NULL;
    }
    unlock_changed(d);
}

bool directory_find_domain(struct directory *d, struct slice host,
                           char name[static NAME_MAX_LEN + 1])
{
    char folded[TOKEN_HOST_MAX];
    const struct entry *e = NULL;
    name[0] = '\0';
    if (host.len == 0 || host.len > sizeof folded)
        return false;
    memcpy(folded, host.ptr, host.len);
    ascii_lower(folded, host.len);
    pthread_rwlock_rdlock(&d->lock);
    if (d->domains.count > 0)
        e = map_get(&d->domains, slice_make(folded, host.len));
    if (e)
        memcpy(name, e->held.name, sizeof e->held.name);
    pthread_rwlock_unlock(&d->lock);
    return e;
}

void directory_release(struct directory *d, struct slice name)
{
    pthread_rwlock_wrlock(&d->lock);
    struct entry *e = map_remove(&d->names, name);
    if (e) {
        d->live -= is_live(e);
        uncount(d, e);
        drop_domain(d, e);
        free(e->policy);
    }
    free(e);
    unlock_changed(d);
}

void directory_note(struct directory *d, const struct held_name *h, bool remember)
{
    pthread_rwlock_wrlock(&d->lock);
    struct entry *e = map_get(&d->names, slice_str(h->name));
    if (e) {
        d->live -= is_live(e);
        count_for_token(d, e, slice_str(h->token));
        e->held = *h;
        e->held.domain = SLICE(""); /* it is in `domain` */
        e->held.policy = SLICE(""); /* likewise */
        e->remember = remember;
        d->live += is_live(e);
    }
    unlock_changed(d);
}

struct print {
    struct buf *to;
    int err;
};

static void print_entry(struct slice key, void *value, void *user)
{
    struct print *p = user;
    const struct entry *e = value;
    struct held_name line = e->held;
    line.domain = slice_str(e->domain);
    line.policy = slice_str(e->policy);
    if (e->remember && p->err == ERR_OK)
        p->err = held_name_print(p->to, &line);
}

int directory_print(struct directory *d, struct buf *to)
{
    struct print p = {.to = to};
    pthread_rwlock_wrlock(&d->lock);
    d->changed = false; /* what changes from here on is printed, or is told by on_change */
    unlock_written(d);
    pthread_rwlock_rdlock(&d->lock); /* requests look names up meanwhile */
    map_each(&d->names, print_entry, &p);
    pthread_rwlock_unlock(&d->lock);
    return p.err;
}

struct directory_counts directory_counts(struct directory *d)
{
    pthread_rwlock_rdlock(&d->lock);
    struct directory_counts c = {.names = d->names.count, .live = d->live};
    pthread_rwlock_unlock(&d->lock);
    return c;
}
