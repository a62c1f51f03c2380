/* SPDX-License-Identifier: MIT */
/* certificate_files.c - see certificate_files.h. */
#include "src/worker/certificate_files.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "h2mux/base/alloc.h"
#include "h2mux/base/err.h"

static const struct slice suffix = {".pem", 4};

static int is_pem(const struct dirent *e)
{
    struct slice name = slice_str(e->d_name);
    return name.ptr[0] != '.' && name.len > suffix.len && slice_ends(name, suffix);
}

static bool is_default(const struct dirent *e)
{
    return strcmp(e->d_name, "default.pem") == 0;
}

/* Sorts by bytes, and not by the locale, with default.pem first. */
static int compare(const struct dirent **a, const struct dirent **b)
{
    if (is_default(*a) != is_default(*b))
        return is_default(*a) ? -1 : 1;
    return strcmp((*a)->d_name, (*b)->d_name);
}

static void free_entries(struct dirent **entries, int n)
{
    for (int i = 0; i < n; i++)
        free(entries[i]);
    free(entries);
}

/* Lists the files of --cert-dir, if there is one. Returns their number, or an error. */
static int list_dir(const char *dir, struct dirent ***out, char reason[static TLS_REASON_MAX])
{
    *out = NULL;
    int n = dir ? scandir(dir, out, is_pem, compare) : 0;
    if (n < 0) {
        snprintf(reason, TLS_REASON_MAX, "cannot read %.150s: %s", dir, strerror(errno));
        return ERR_IO;
    }
    if (n <= CERTIFICATE_FILES_MAX)
        return n;
    snprintf(reason, TLS_REASON_MAX, "%.150s has more than %d certificates", dir,
             CERTIFICATE_FILES_MAX);
    free_entries(*out, n);
    return ERR_LIMIT;
}

int certificate_files_list(struct certificate_files *out, const struct config *c,
                           char reason[static TLS_REASON_MAX])
{
    struct dirent **entries;
    const struct opt_list *certs = &c->listen.certs, *keys = &c->listen.keys;
    int n = list_dir(c->listen.cert_dir, &entries, reason);
    if (n < 0)
        return n;
    *out = (struct certificate_files){.first_of_dir = certs->count};
    out->count = certs->count + (size_t)n;
    out->pair = xcalloc(out->count + 1, sizeof *out->pair);
    out->made = xcalloc((size_t)n + 1, sizeof *out->made);
    for (size_t i = 0; i < certs->count; i++)
        out->pair[i] = (struct tls_pair){certs->item[i], keys->item[i], ""};
    for (int i = 0; i < n; i++) {
        out->made[i] = xasprintf("%s/%s", c->listen.cert_dir, entries[i]->d_name);
        out->pair[certs->count + (size_t)i] = (struct tls_pair){out->made[i], out->made[i], ""};
    }
    free_entries(entries, n);
    return 0;
}

void certificate_files_free(struct certificate_files *f)
{
    for (size_t i = 0; f->made[i]; i++)
        free(f->made[i]);
    free(f->made);
    free(f->pair);
}

bool certificate_files_name(const struct config *c, const char *file, char *name, size_t cap)
{
    struct slice base = slice_str(file),
                 dir = slice_str(c->listen.cert_dir ? c->listen.cert_dir : "");
    if (dir.len == 0 || base.len <= dir.len || !slice_starts(base, dir) || file[dir.len] != '/')
        return false;
    base = slice_skip(base, dir.len + 1);
    if (slice_ends(base, suffix))
        base.len -= suffix.len;
    if (slice_find(base, '.') < 0)
        return false;
    bool wild = slice_starts(base, SLICE("_."));
    int len =
        snprintf(name, cap, "%s%.*s", wild ? "*" : "", (int)(base.len - wild), base.ptr + wild);
    return len > 0 && (size_t)len < cap;
}
