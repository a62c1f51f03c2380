/* SPDX-License-Identifier: MIT */
/* store.c - opens a state directory, and makes later what a full disk has refused; see store.h. */
#include "src/names/store.h"

#include <stdio.h>
#include <stdlib.h>

#include "h2mux/base/err.h"
#include "src/names/state_lock.h"

/* Makes the directory and takes its lock. Returns 0, also when the disk is full or read-only, and
 * the lock is not there. */
static int open_directory(struct store *s, char *reason, size_t cap)
{
    const char *why = NULL;
    int fd = STATE_LOCK_NONE;
    int err = state_prepare(s->dir, &why);
    if (err < 0)
        snprintf(reason, cap, "%s: %s", s->dir, why);
    else
        err = state_lock_take(s->dir, &fd, reason, cap);
    s->lock = fd;
    return state_may_pass(err) ? 0 : err;
}

static int open_node(struct store *s, char *reason, size_t cap)
{
    const char *why = NULL;
    int err = state_node(s->dir, s->node, &s->node_unsaved, &why);
    if (err < 0)
        snprintf(reason, cap, "%s/%s: %s", s->dir, STATE_NODE, why);
    return err;
}

struct store *store_open(const char *dir, char *reason, size_t reason_cap)
{
    struct store *s = xcalloc(1, sizeof *s);
    s->dir = dir;
    s->lock = STATE_LOCK_NONE;
    if (open_directory(s, reason, reason_cap) == 0)
        s->keyring = keyring_open(dir, reason, reason_cap);
    if (s->keyring && open_node(s, reason, reason_cap) == 0)
        return s;
    store_free(s);
    return NULL;
}

void store_free(struct store *s)
{
    if (!s)
        return;
    store_give(s);
    keyring_free(s->keyring);
    free(s);
}

static int settle_lock(struct store *s, char *reason, size_t cap)
{
    const char *why = NULL;
    int fd, err;
    s->lock = state_lock_renew(s->dir, s->lock);
    if (s->lock != STATE_LOCK_NONE)
        return 0;
    err = state_prepare(s->dir, &why);
    if (err < 0)
        snprintf(reason, cap, "%s: %s", s->dir, why);
    else
        err = state_lock_take(s->dir, &fd, reason, cap);
    if (err == 0)
        s->lock = fd;
    return err;
}

static int explain(const struct store *s, const char *file, int err, const char *why, char *reason,
                   size_t cap)
{
    if (err < 0)
        snprintf(reason, cap, "%s/%s: %s", s->dir, file, why);
    return err;
}

int store_settle(struct store *s, char *reason, size_t reason_cap)
{
    const char *why = NULL;
    int err = settle_lock(s, reason, reason_cap);
    if (err == 0)
        err = explain(s, STATE_SECRET, keyring_save(s->keyring, s->dir, &why), why, reason,
                      reason_cap);
    if (err == 0 && s->node_unsaved)
        err =
            explain(s, STATE_NODE, state_node_save(s->dir, s->node, &why), why, reason, reason_cap);
    if (err == 0)
        s->node_unsaved = false;
    return err;
}

void store_will_end(struct store *s)
{
    state_lock_will_end(s->lock);
}

void store_give(struct store *s)
{
    state_lock_give(atomic_exchange(&s->lock, STATE_LOCK_NONE));
}
