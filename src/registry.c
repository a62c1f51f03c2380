/* registry.c - the table of held names and the file that remembers them over a restart.
 *
 * The file is rewritten as a whole by a timer: at once after the first change, then at most once a
 * second. A line of it that cannot be read costs that name and an error line, never the start. */
#include "src/registry.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "h2mux/base/clock.h"
#include "h2mux/base/err.h"
#include "h2mux/base/map.h"
#include "src/state.h"
#include "src/tunnel.h"

enum { NAMES_FILE_MAX = 16 * 1024 * 1024, WRITE_EVERY_MS = 1000, WRITE_RETRY_MS = 5000 };

struct registry {
    struct loop *loop;           /* borrowed: outlives the registry */
    const struct config *config; /* borrowed: likewise */
    struct map names;            /* of struct tunnel, owned */
    struct timer write;
    uint64_t written_us;
    size_t waiting; /* requests, of all names */
};

/* ---- looking at all */

struct walk {
    void (*visit)(struct tunnel *t, void *user);
    void *user;
};

static void walk_visit(struct slice key, void *value, void *user)
{
    const struct walk *w = user;
    w->visit(value, w->user);
}

void registry_each(const struct registry *r, void (*visit)(struct tunnel *t, void *user),
                   void *user)
{
    struct walk w = {visit, user};
    map_each(&r->names, walk_visit, &w);
}

/* ---- the names file */

/* A live name has no end yet: it will be graced from the next start on. */
static int64_t tunnel_until(const struct tunnel *t, uint64_t now_us, int64_t wall_s)
{
    if (t->state == TUNNEL_LIVE)
        return 0;
    uint64_t left_us = t->held_until_us > now_us ? t->held_until_us - now_us : 0;
    return wall_s + (int64_t)((left_us + 999999) / 1000000);
}

struct print {
    struct buf *to;
    uint64_t now_us;
    int64_t wall_s;
    int err;
};

static void print_name(struct slice key, void *value, void *user)
{
    struct print *p = user;
    const struct tunnel *t = value;
    struct held_name h = {.until = tunnel_until(t, p->now_us, p->wall_s), .asked = t->asked};
    if (t->left_for_good && !t->asked)
        return;
    memcpy(h.name, t->name, sizeof(h.name));
    memcpy(h.owner, t->owner, sizeof(h.owner));
    if (p->err == 0)
        p->err = state_names_append(p->to, &h);
}

/* ERR_IO: errno says why. */
static int names_write(struct registry *r)
{
    struct buf text;
    buf_init(&text, NAMES_FILE_MAX);
    struct print p = {&text, clock_now_us(), clock_wall_s(), 0};
    map_each(&r->names, print_name, &p);
    errno = EFBIG;
    int err = p.err < 0 ? ERR_IO : state_write(r->config->state_dir, STATE_NAMES, buf_slice(&text));
    buf_release(&text);
    r->written_us = p.now_us;
    return err;
}

/* false: told to the log. */
static bool names_save(struct registry *r)
{
    if (names_write(r) == 0)
        return true;
    LOG(ERROR, "names file not written", "path=%s/%s error=%s", r->config->state_dir, STATE_NAMES,
        log_value(slice_str(strerrordesc_np(errno))));
    return false;
}

static void on_write_due(void *user)
{
    struct registry *r = user;
    if (!names_save(r))
        timer_arm(&r->write, WRITE_RETRY_MS);
}

void registry_changed(struct registry *r)
{
    if (timer_armed(&r->write))
        return;
    uint64_t since_ms = (clock_now_us() - r->written_us) / 1000;
    timer_arm(&r->write, since_ms < WRITE_EVERY_MS ? WRITE_EVERY_MS - since_ms : 0);
}

static struct tunnel *registry_add(struct registry *r, struct slice name,
                                   const uint8_t owner[static OWNER_LEN], bool asked)
{
    struct tunnel *t = tunnel_new(r, r->loop, name, owner, asked);
    map_set(&r->names, name, t);
    return t;
}

/* Nobody has attached yet: every name that was held is away from now on, for what is left of its
 * time. */
static void names_adopt(struct registry *r, const struct held_name *h, int64_t wall_s)
{
    uint64_t most_ms = r->config->name_grace_ms, left_ms = most_ms;
    struct slice name = slice_str(h->name);
    if (h->until > 0)
        left_ms = h->until > wall_s ? (uint64_t)(h->until - wall_s) * 1000 : 0;
    if (left_ms > most_ms) /* the clock was set back, or the option is new */
        left_ms = most_ms;
    if (left_ms == 0 || registry_find(r, name) || r->names.count >= REGISTRY_MAX)
        return;
    tunnel_hold(registry_add(r, name, h->owner, h->asked), TUNNEL_GRACED, left_ms);
}

static void names_parse(struct registry *r, struct slice text)
{
    int64_t wall_s = clock_wall_s();
    size_t broken = 0, first = 0;
    for (size_t number = 1; text.len > 0; number++) {
        struct held_name h;
        ptrdiff_t end = slice_find(text, '\n');
        size_t len = end < 0 ? text.len : (size_t)end;
        /* Without its line feed a line may be cut short and still look whole. */
        if (end >= 0 && state_names_parse(slice_make(text.ptr, len), &h) == 0)
            names_adopt(r, &h, wall_s);
        else if (broken++ == 0)
            first = number;
        text = slice_skip(text, len + 1);
    }
    if (broken > 0)
        LOG(ERROR, "names file is broken",
            "path=%s/%s first_line=%zu lines_ignored=%zu names_kept=%zu", r->config->state_dir,
            STATE_NAMES, first, broken, r->names.count);
}

static int names_load(struct registry *r)
{
    struct buf text;
    buf_init(&text, NAMES_FILE_MAX);
    int err = state_read(r->config->state_dir, STATE_NAMES, &text);
    if (err == 0)
        names_parse(r, buf_slice(&text));
    buf_release(&text);
    if (err == ERR_LIMIT)
        errno = EFBIG;
    return err == ERR_NOT_FOUND ? 0 : err;
}

/* ---- the table */

static void free_tunnel(struct tunnel *t, void *user)
{
    tunnel_free(t);
}

/* What waits is told, and may look the name up: the table is empty by then. */
static void registry_release(struct registry *r)
{
    struct map names = r->names;
    map_init(&r->names);
    timer_stop(&r->write);
    map_each(&names, walk_visit, &(struct walk){free_tunnel, NULL});
    map_deinit(&names);
    free(r);
}

struct registry *registry_new(struct loop *l, const struct config *c, char *reason,
                              size_t reason_cap)
{
    struct registry *r = xcalloc(1, sizeof(*r));
    r->loop = l;
    r->config = c;
    map_init(&r->names);
    timer_init(&r->write, l, on_write_due, r);
    if (state_prepare(c->state_dir) == 0 && names_load(r) == 0 && names_write(r) == 0)
        return r;
    snprintf(reason, reason_cap, "%s/%s: %s", c->state_dir, STATE_NAMES, strerrordesc_np(errno));
    registry_release(r);
    return NULL;
}

void registry_free(struct registry *r)
{
    if (!r)
        return;
    names_save(r);
    registry_release(r);
}

struct tunnel *registry_find(const struct registry *r, struct slice name)
{
    return map_get(&r->names, name);
}

static unsigned seconds_left(const struct registry *r, const struct tunnel *t)
{
    uint64_t now_us = loop_now_us(r->loop);
    if (t->state == TUNNEL_LIVE)
        return 0;
    return t->held_until_us > now_us ? (unsigned)((t->held_until_us - now_us) / 1000000) + 1 : 1;
}

int registry_claim(struct registry *r, struct slice name, const uint8_t owner[static OWNER_LEN],
                   bool asked, struct tunnel **out, unsigned *retry_after_s)
{
    struct tunnel *t = registry_find(r, name);
    *retry_after_s = 0;
    if (t && !owner_eq(t->owner, owner)) {
        *retry_after_s = seconds_left(r, t);
        return ERR_TAKEN;
    }
    if (!t && r->names.count >= REGISTRY_MAX)
        return ERR_LIMIT;
    if (!t)
        t = registry_add(r, name, owner, asked);
    uint64_t pending_us = r->config->pending_ms * 1000;
    if (t->state != TUNNEL_LIVE && t->held_until_us < loop_now_us(r->loop) + pending_us)
        tunnel_hold(t, t->state, r->config->pending_ms);
    t->left_for_good = false; /* its client is back, if only by this call */
    registry_changed(r);
    *out = t;
    return 0;
}

void registry_drop(struct registry *r, struct tunnel *t)
{
    map_remove(&r->names, slice_str(t->name));
    registry_changed(r);
    tunnel_free(t);
}

const struct config *registry_config(const struct registry *r)
{
    return r->config;
}

bool registry_wait_begin(struct registry *r)
{
    if (r->waiting >= WAITERS_MAX)
        return false;
    r->waiting++;
    return true;
}

void registry_wait_end(struct registry *r)
{
    assert(r->waiting > 0);
    r->waiting--;
}

/* ---- counts */

static void count_tunnel(struct tunnel *t, void *user)
{
    struct registry_counts *c = user;
    c->tunnels++;
    c->live += t->state == TUNNEL_LIVE;
    LIST_FOREACH(link, &t->links)
        c->links++;
}

struct registry_counts registry_counts(const struct registry *r)
{
    struct registry_counts c = {0};
    registry_each(r, count_tunnel, &c);
    return c;
}
