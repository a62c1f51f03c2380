/* SPDX-License-Identifier: MIT */
/* policies.c - reads the policies file as a whole, or not at all; see policies.h. */
#include "src/policies/policies.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "h2mux/base/file.h"
#include "h2mux/base/map.h"
#include "src/names/token.h"

struct named {
    struct policy *policy; /* held; NULL: it restricts nothing */
};

struct policies {
    pthread_rwlock_t lock; /* guards the rest */
    struct map by_name;    /* of struct named, owned */
    uint64_t generation;
};

static void free_named(struct slice key, void *value, void *user)
{
    struct named *n = value;
    policy_drop(n->policy);
    free(n);
}

static void content_free(struct map *m)
{
    map_each(m, free_named, NULL);
    map_deinit(m);
}

/* ---- reading */

static struct slice take_line(struct slice *text)
{
    ptrdiff_t end = slice_find(*text, '\n');
    struct slice line = slice_make(text->ptr, end < 0 ? text->len : (size_t)end);
    *text = slice_skip(*text, line.len + (end >= 0));
    return slice_trim(
        line.len > 0 && line.ptr[line.len - 1] == '\r' ? slice_make(line.ptr, line.len - 1) : line);
}

static int take_policy(struct map *m, struct slice line, const char **why)
{
    ptrdiff_t space = slice_find(line, ' ');
    struct slice name = slice_make(line.ptr, space < 0 ? line.len : (size_t)space);
    struct policy *policy = NULL;
    *why = "does not begin with a name of letters, digits, '.', '_', '-' and '@'";
    if (!token_id_valid(name))
        return ERR_SYNTAX;
    *why = "has a name that stands there twice";
    if (map_get(m, name))
        return ERR_SYNTAX;
    int err = policy_parse(slice_trim(slice_skip(line, name.len)), &policy, why);
    if (err == 0 && policy && (policy_has_users(policy) || policy_has_keys(policy))) {
        *why = "has users or keys, which are the sharer's to choose";
        policy_drop(policy);
        err = ERR_SYNTAX;
    }
    if (err < 0)
        return err;
    struct named *n = xcalloc(1, sizeof *n);
    n->policy = policy;
    map_set(m, name, n);
    return 0;
}

/* Reads @text into the empty map @m. Returns 0, or ERR_SYNTAX with a sentence in @reason. */
static int parse(struct map *m, const char *path, struct slice text,
                 char reason[static POLICIES_REASON_MAX])
{
    const char *why = "";
    for (size_t number = 1; text.len > 0; number++) {
        struct slice line = take_line(&text);
        if (line.len == 0 || line.ptr[0] == '#' || take_policy(m, line, &why) == 0)
            continue;
        snprintf(reason, POLICIES_REASON_MAX, "%s:%zu: the policy %s", path, number, why);
        return ERR_SYNTAX;
    }
    return 0;
}

static int read_file(const char *path, struct buf *text, char reason[static POLICIES_REASON_MAX])
{
    const char *why = NULL;
    int fd = file_open_trusted(path, &why);
    if (fd < 0) {
        snprintf(reason, POLICIES_REASON_MAX, "%s: %s", path, why);
        return fd;
    }
    int err = file_read_all(fd, text);
    if (err < 0)
        snprintf(reason, POLICIES_REASON_MAX, "%s: %s", path,
                 err == ERR_IO ? strerrordesc_np(errno) : err_text(err));
    close(fd);
    return err;
}

static struct policies *wrap(struct map *m, int err)
{
    if (err < 0) {
        content_free(m);
        return NULL;
    }
    struct policies *p = xcalloc(1, sizeof *p);
    if (pthread_rwlock_init(&p->lock, NULL) != 0)
        abort();
    p->by_name = *m;
    p->generation = 1;
    return p;
}

struct policies *policies_of_text(const char *path, struct slice text,
                                  char reason[static POLICIES_REASON_MAX])
{
    struct map m;
    map_init(&m);
    int err = parse(&m, path, text, reason);
    return wrap(&m, err);
}

struct policies *policies_open(const char *path, char reason[static POLICIES_REASON_MAX])
{
    struct buf text;
    struct policies *p = NULL;
    buf_init(&text, POLICIES_FILE_MAX);
    if (read_file(path, &text, reason) == 0)
        p = policies_of_text(path, buf_slice(&text), reason);
    buf_release(&text);
    return p;
}

void policies_take(struct policies *p, struct policies *fresh)
{
    pthread_rwlock_wrlock(&p->lock);
    struct map old = p->by_name;
    p->by_name = fresh->by_name;
    p->generation++;
    pthread_rwlock_unlock(&p->lock);
    fresh->by_name = old;
    policies_free(fresh);
}

void policies_free(struct policies *p)
{
    if (!p)
        return;
    content_free(&p->by_name);
    pthread_rwlock_destroy(&p->lock);
    free(p);
}

/* ---- looking up */

bool policies_find(struct policies *p, struct slice name, struct policy **out)
{
    *out = NULL;
    if (!p)
        return false;
    pthread_rwlock_rdlock(&p->lock);
    const struct named *n = map_get(&p->by_name, name);
    if (n)
        *out = policy_hold(n->policy);
    pthread_rwlock_unlock(&p->lock);
    return n;
}

uint64_t policies_generation(struct policies *p)
{
    if (!p)
        return 0;
    pthread_rwlock_rdlock(&p->lock);
    uint64_t generation = p->generation;
    pthread_rwlock_unlock(&p->lock);
    return generation;
}
