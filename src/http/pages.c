/* SPDX-License-Identifier: MIT */
/* pages.c - see pages.h. */
#include "src/http/pages.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "h2mux/base/err.h"
#include "h2mux/base/file.h"

enum { FIRST = 400, LAST = 599, STATUSES = LAST - FIRST + 1, OK = 200 };

struct pages {
    struct buf landing, other;   /* index.html and error.html; empty: there is none */
    struct buf status[STATUSES]; /* by status - FIRST */
};

/* Reads @dir/@file into @page. A file that is missing leaves it empty. Returns the number of files
 * that were read; -1, with a sentence in @reason, for one that cannot be used. */
static int load(const char *dir, const char *file, struct buf *page,
                char reason[static PAGES_REASON_MAX])
{
    char *path = xasprintf("%s/%s", dir, file);
    int fd = open(path, O_RDONLY | O_CLOEXEC), err = 0;
    bool missing = fd < 0 && errno == ENOENT;
    buf_init(page, PAGES_MAX);
    if (fd >= 0) {
        err = file_read_all(fd, page);
        close(fd);
    }
    if (err < 0 || (fd < 0 && !missing))
        snprintf(reason, PAGES_REASON_MAX, "%s: %s", path,
                 err == ERR_LIMIT ? "is longer than 60 KiB" : strerrordesc_np(errno));
    free(path);
    return missing ? 0 : err < 0 || fd < 0 ? -1 : 1;
}

struct pages *pages_load(const char *dir, char reason[static PAGES_REASON_MAX])
{
    struct pages *p = xcalloc(1, sizeof *p);
    char file[32];
    snprintf(reason, PAGES_REASON_MAX, "%s has no index.html, 404.html, ... or error.html", dir);
    int read = load(dir, "index.html", &p->landing, reason);
    int found = read, worst = read;
    read = load(dir, "error.html", &p->other, reason);
    found += read;
    worst = read < worst ? read : worst;
    for (int i = 0; i < STATUSES && worst >= 0; i++) {
        snprintf(file, sizeof file, "%d.html", FIRST + i);
        read = load(dir, file, &p->status[i], reason);
        found += read;
        worst = read < worst ? read : worst;
    }
    if (worst >= 0 && found > 0)
        return p;
    pages_free(p);
    return NULL;
}

void pages_free(struct pages *p)
{
    if (!p)
        return;
    buf_release(&p->landing);
    buf_release(&p->other);
    for (int i = 0; i < STATUSES; i++)
        buf_release(&p->status[i]);
    free(p);
}

static const struct buf *page_for(const struct pages *p, int status)
{
    if (status == OK)
        return &p->landing;
    if (status < FIRST || status > LAST)
        return NULL;
    const struct buf *own = &p->status[status - FIRST];
    return buf_len(own) > 0 ? own : &p->other;
}

void pages_replace(const struct pages *p, struct answer *a)
{
    struct slice type = fields_value(&a->head.fields, SLICE("content-type"));
    const struct buf *page = p ? page_for(p, a->head.status) : NULL;
    if (page && buf_len(page) > 0 && slice_starts(type, SLICE("text/html")))
        answer_own_html(a, buf_slice(page));
}
