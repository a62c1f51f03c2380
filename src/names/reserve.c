/* SPDX-License-Identifier: MIT */
/* reserve.c - keeps the reservations in a map, in a list by their use, and in the shares of their
 * networks; see reserve.h. */
#include "src/names/reserve.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

#include "h2mux/base/check.h"
#include "h2mux/base/clock.h"
#include "h2mux/base/err.h"
#include "h2mux/base/map.h"
#include "src/limits/shares.h"
#include "src/names/label.h"

enum {
    CHECK_ALL_MAX = 256, /* larger tables are checked now and then */
    SMALL = 1000,        /* names in a file that costs nothing to write */
    DUE_SMALL_US = 1000 * 1000,
    DUE_LARGE_US = 10 * 1000 * 1000,
    DUE_LIVE_US = 60 * 1000 * 1000
};

/* A name with its place. */
struct entry {
    struct reservation v;   /* `until` and `lived_s` are of its former lives */
    uint64_t live_since_us; /* monotonic; 0: not live */
    struct share share;
    struct list_node used;       /* in reserve.used */
    struct list_node in_address; /* in its address_entry; linked iff v.counts */
};

/* An address with places. */
struct address_entry {
    struct list_node entries; /* of entry.in_address; never empty */
    size_t idle;              /* those that are not live */
};

struct reserve {
    pthread_mutex_t lock;  /* guards the rest */
    uint64_t limit_s;      /* constant */
    struct map names;      /* of struct entry, owned */
    struct map addresses;  /* of struct address_entry, owned */
    struct list_node used; /* the longest unused first */
    struct shares *shares;
    size_t live;          /* names that are live */
    uint64_t youngest_us; /* monotonic: when the last name became live */
    bool changed;
};

/* ---- checks */

static struct slice key_of(const struct address *a)
{
    return slice_make((const char *)a, sizeof *a);
}

static struct entry *entry_at(struct list_node *used)
{
    return CONTAINER_OF(used, struct entry, used);
}

static void reserve_check(const struct reserve *r)
{
    size_t count = 0, live = 0;
    CHECK_THAT(r->names.count == shares_count(r->shares));
    CHECK_THAT(r->names.count <= RESERVE_MAX && r->live <= r->names.count);
    if (r->names.count > CHECK_ALL_MAX && r->names.count % CHECK_ALL_MAX != 0)
        return;
    LIST_FOREACH (it, &r->used) {
        const struct entry *e = entry_at(it);
        CHECK_THAT(map_get(&r->names, slice_str(e->v.name)) == e);
        CHECK_THAT(e->share.taken && e->share.idle == (e->live_since_us == 0));
        CHECK_THAT(e->v.counts == list_linked(&e->in_address));
        count++;
        live += e->live_since_us > 0;
    }
    CHECK_THAT(count == r->names.count && live == r->live);
}

static void lock(struct reserve *r)
{
    pthread_mutex_lock(&r->lock);
}

static void unlock(struct reserve *r)
{
    if (CHECKING)
        reserve_check(r);
    pthread_mutex_unlock(&r->lock);
}

/* ---- entries */

struct reserve *reserve_new(void)
{
    struct reserve *r = xcalloc(1, sizeof *r);
    if (pthread_mutex_init(&r->lock, NULL) != 0)
        abort();
    map_init(&r->names);
    map_init(&r->addresses);
    list_init(&r->used);
    r->shares = shares_new(RESERVE_MAX);
    r->limit_s = RESERVE_DEFAULT_S;
    return r;
}

void reserve_set_limit(struct reserve *r, uint64_t limit_s)
{
    r->limit_s = limit_s;
}

/* Takes @e, which has given its share back, out of the table and frees it. */
static void forget(struct reserve *r, struct entry *e)
{
    struct address_entry *a = e->v.counts ? map_get(&r->addresses, key_of(&e->v.from)) : NULL;
    r->live -= e->live_since_us > 0;
    r->changed = true;
    list_remove(&e->used);
    map_remove(&r->names, slice_str(e->v.name));
    if (a) {
        list_remove(&e->in_address);
        a->idle -= e->live_since_us == 0;
        if (list_empty(&a->entries))
            free(map_remove(&r->addresses, key_of(&e->v.from)));
    }
    free(e);
}

static void drop(struct reserve *r, struct entry *e)
{
    shares_give(r->shares, &e->share);
    forget(r, e);
}

void reserve_free(struct reserve *r)
{
    if (!r)
        return;
    while (!list_empty(&r->used))
        drop(r, entry_at(r->used.next));
    map_deinit(&r->names);
    map_deinit(&r->addresses);
    shares_free(r->shares);
    pthread_mutex_destroy(&r->lock);
    free(r);
}

/* Returns for how long the name of @e has been live, in all. */
static int64_t lived_s(const struct entry *e)
{
    uint64_t now_us = clock_now_us();
    uint64_t us = e->live_since_us > 0 ? now_us - e->live_since_us : 0;
    return e->v.lived_s + (int64_t)(us / 1000000);
}

/* Returns the end of the reservation, as it would be if a live name left now. */
static int64_t until_of(const struct reserve *r, const struct entry *e)
{
    if (e->live_since_us == 0)
        return e->v.until;
    int64_t most = (int64_t)r->limit_s, lived = lived_s(e);
    return clock_wall_s() + (lived > most / RESERVE_FACTOR ? most : lived * RESERVE_FACTOR);
}

/* Returns the entry of @name. One whose time is over is dropped. */
static struct entry *find(struct reserve *r, struct slice name)
{
    struct entry *e = map_get(&r->names, name);
    if (!e || e->live_since_us > 0 || e->v.until > clock_wall_s())
        return e;
    drop(r, e);
    return NULL;
}

/* Drops the name that ends first, if the address of @v has too many that are not live. That may be
 * the name that came last: otherwise a neighbour could push names out by new ones. */
static void trim(struct reserve *r, const struct reservation *v)
{
    const struct address_entry *a = v->counts ? map_get(&r->addresses, key_of(&v->from)) : NULL;
    struct entry *first = NULL;
    if (!a || a->idle <= RESERVE_PER_ADDRESS)
        return;
    LIST_FOREACH (it, &a->entries) {
        struct entry *e = CONTAINER_OF(it, struct entry, in_address);
        if (e->live_since_us == 0 && (!first || e->v.until < first->v.until))
            first = e;
    }
    assert(first); /* `idle` counts them */
    drop(r, first);
}

static void count_for(struct reserve *r, struct entry *e)
{
    struct address_entry *a = map_get(&r->addresses, key_of(&e->v.from));
    if (!a) {
        a = xcalloc(1, sizeof *a);
        list_init(&a->entries);
        map_set(&r->addresses, key_of(&e->v.from), a);
    }
    list_push(&a->entries, &e->in_address);
    a->idle++;
}

/* Returns the path by which @v counts. Names of nobody share one place in the order, so that they
 * can be given up too. */
static struct who who_of(const struct reservation *v)
{
    static const struct who nobody = {.depth = 1, .at = {{.network = 0, .host = 1}}};
    return v->counts ? who_of_address(&v->from) : nobody;
}

/* Says whether @e, which is in the table, is live. */
static void set_live(struct reserve *r, struct entry *e, uint64_t since_us)
{
    struct address_entry *a = e->v.counts ? map_get(&r->addresses, key_of(&e->v.from)) : NULL;
    bool was = e->live_since_us > 0, is = since_us > 0;
    if (since_us > r->youngest_us)
        r->youngest_us = since_us;
    e->live_since_us = since_us;
    if (is != was)
        r->live += is ? 1 : (size_t)-1;
    if (is != was && a)
        a->idle += is ? (size_t)-1 : 1;
    shares_set_idle(r->shares, &e->share, !is);
    r->changed = true;
}

/* Adds a name that is not live. Returns NULL when there is no place for it. */
static struct entry *add(struct reserve *r, const struct reservation *v)
{
    struct share *victim;
    struct who who = who_of(v);
    if (r->limit_s == 0)
        return NULL;
    struct entry *e = xcalloc(1, sizeof *e);
    e->v = *v;
    if (!shares_take(r->shares, &who, &e->share, &victim)) {
        free(e);
        return NULL;
    }
    if (victim)
        forget(r, CONTAINER_OF(victim, struct entry, share));
    map_set(&r->names, slice_str(v->name), e);
    list_push(&r->used, &e->used);
    if (v->counts)
        count_for(r, e);
    set_live(r, e, 0);
    return e;
}

/* ---- what happens to a name */

void reserve_begin(struct reserve *r, struct slice name, const uint8_t owner[static OWNER_LEN],
                   const struct address *from, uint64_t since_us)
{
    struct reservation v = {.counts = from};
    memcpy(v.name, name.ptr, name.len);
    memcpy(v.owner, owner, OWNER_LEN);
    if (from)
        v.from = *from;
    lock(r);
    struct entry *e = find(r, name);
    if (e && !owner_eq(e->v.owner, owner)) {
        drop(r, e);
        e = NULL;
    }
    if (!e)
        e = add(r, &v);
    if (e && e->live_since_us == 0)
        set_live(r, e, since_us > 0 ? since_us : 1);
    unlock(r);
}

void reserve_end(struct reserve *r, struct slice name)
{
    lock(r);
    struct entry *e = map_get(&r->names, name);
    if (e && e->live_since_us > 0) {
        e->v.until = until_of(r, e);
        e->v.lived_s = lived_s(e);
        set_live(r, e, 0);
        list_remove(&e->used);
        list_push(&r->used, &e->used);
        struct reservation v = e->v;
        if (find(r, name))
            trim(r, &v);
    }
    unlock(r);
}

int64_t reserve_until(struct reserve *r, struct slice name, uint8_t owner[static OWNER_LEN])
{
    lock(r);
    const struct entry *e = find(r, name);
    int64_t until = e ? until_of(r, e) : 0;
    if (e)
        memcpy(owner, e->v.owner, OWNER_LEN);
    unlock(r);
    return until;
}

bool reserve_is_for_another(struct reserve *r, struct slice name,
                            const uint8_t owner[static OWNER_LEN], int64_t *until)
{
    uint8_t theirs[OWNER_LEN];
    *until = reserve_until(r, name, theirs);
    return *until > 0 && !owner_eq(theirs, owner);
}

bool reserve_is_for(struct reserve *r, struct slice name, const uint8_t owner[static OWNER_LEN])
{
    uint8_t theirs[OWNER_LEN];
    return reserve_until(r, name, theirs) > 0 && owner_eq(theirs, owner);
}

bool reserve_release(struct reserve *r, struct slice name)
{
    lock(r);
    struct entry *e = map_get(&r->names, name);
    if (e)
        drop(r, e);
    unlock(r);
    return e;
}

size_t reserve_count(struct reserve *r)
{
    lock(r);
    size_t count = r->names.count - r->live;
    unlock(r);
    return count;
}

uint64_t reserve_due_us(struct reserve *r, uint64_t written_us)
{
    lock(r);
    uint64_t least_us = r->names.count > SMALL ? DUE_LARGE_US : DUE_SMALL_US;
    uint64_t age_us = written_us > r->youngest_us ? written_us - r->youngest_us : 0;
    uint64_t due_us = UINT64_MAX;
    if (r->changed)
        due_us = written_us + least_us;
    else if (r->live > 0 && age_us > DUE_LIVE_US)
        due_us = written_us + DUE_LIVE_US;
    else if (r->live > 0)
        due_us = written_us + (age_us > least_us ? age_us : least_us);
    unlock(r);
    return due_us;
}

/* ---- the file */

/* Copies the table, so that it is printed without the lock. Returns an array, with its length in
 * @count. */
static struct reservation *copy_all(struct reserve *r, size_t *count)
{
    lock(r);
    struct reservation *all = xcalloc(r->names.count + 1, sizeof *all);
    *count = 0;
    for (struct list_node *it = r->used.next, *next; it != &r->used; it = next) {
        struct entry *e = entry_at(it);
        next = it->next;
        if (e->live_since_us == 0 && e->v.until <= clock_wall_s()) {
            drop(r, e);
            continue;
        }
        all[*count] = e->v;
        all[*count].until = until_of(r, e);
        all[(*count)++].lived_s = lived_s(e);
    }
    r->changed = false;
    unlock(r);
    return all;
}

int reserve_print(struct reserve *r, struct buf *to)
{
    size_t count;
    struct reservation *all = copy_all(r, &count);
    int err = 0;
    for (size_t i = 0; i < count && err == 0; i++) {
        char owner[OWNER_TEXT_MAX], from[2 * sizeof all->from + 1] = "-";
        owner_text(all[i].owner, owner);
        if (all[i].counts)
            snprintf(from, sizeof from, "%016llx%016llx", (unsigned long long)all[i].from.network,
                     (unsigned long long)all[i].from.host);
        err = buf_printf(to, "%s %s %lld %lld %s\n", all[i].name, owner, (long long)all[i].until,
                         (long long)all[i].lived_s, from);
    }
    free(all);
    return err;
}

static struct slice take_word(struct slice *line)
{
    ptrdiff_t space = slice_find(*line, ' ');
    struct slice word = slice_make(line->ptr, space < 0 ? line->len : (size_t)space);
    *line = slice_skip(*line, space < 0 ? line->len : (size_t)space + 1);
    return word;
}

/* Reads the address, 32 hexadecimal digits as those of an owner, or "-". */
static int parse_address(struct slice text, struct reservation *out)
{
    uint8_t bytes[OWNER_LEN];
    if (slice_eq(text, SLICE("-")))
        return 0;
    if (owner_parse(text, bytes) < 0)
        return ERR_SYNTAX;
    for (size_t i = 0; i < sizeof bytes; i++) {
        uint64_t *half = i < sizeof bytes / 2 ? &out->from.network : &out->from.host;
        *half = *half << 8 | bytes[i];
    }
    out->counts = true;
    return 0;
}

int reservation_parse(struct slice line, struct reservation *out)
{
    struct slice name = take_word(&line), owner = take_word(&line);
    struct slice until = take_word(&line), lived = take_word(&line), from = take_word(&line);
    uint64_t until_s = 0, lived_s = 0;
    *out = (struct reservation){0};
    if (line.len > 0 || !label_valid(name) || owner_parse(owner, out->owner) < 0 ||
        slice_to_u64(until, INT64_MAX, &until_s) < 0 ||
        slice_to_u64(lived, INT64_MAX / RESERVE_FACTOR, &lived_s) < 0 ||
        parse_address(from, out) < 0)
        return ERR_SYNTAX;
    memcpy(out->name, name.ptr, name.len);
    out->until = (int64_t)until_s;
    out->lived_s = (int64_t)lived_s;
    return 0;
}

void reserve_restore(struct reserve *r, const struct reservation *v)
{
    struct reservation capped = *v;
    int64_t now = clock_wall_s(), latest = now + (int64_t)r->limit_s;
    if (capped.until > latest) /* the clock was set back, or the limit is lower now */
        capped.until = latest;
    lock(r);
    if (capped.until > now && !find(r, slice_str(v->name)) && add(r, &capped))
        trim(r, &capped);
    unlock(r);
}
