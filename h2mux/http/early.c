/* SPDX-License-Identifier: MIT */
/* early.c - a buffer, trailers, and whether the end came; see early.h. */
#include "h2mux/http/early.h"

#include <stdlib.h>

struct early {
    struct buf bytes;
    struct fields trailers; /* owned; empty unless `with_trailers` */
    bool ended;             /* the body's end came, without trailers */
    bool with_trailers;     /* the body's end came with trailers */
};

static struct early *make(struct early **e)
{
    if (*e)
        return *e;
    *e = xcalloc(1, sizeof **e);
    buf_init(&(*e)->bytes, SIZE_MAX / 2);
    fields_init(&(*e)->trailers);
    return *e;
}

int early_keep_body(struct early **e, size_t most, struct slice data, bool end)
{
    struct early *kept = make(e);
    if (data.len > most - buf_len(&kept->bytes))
        return ERR_LIMIT;
    kept->ended |= end;
    return buf_append(&kept->bytes, data);
}

void early_keep_trailers(struct early **e, const struct fields *t)
{
    struct early *kept = make(e);
    fields_copy(&kept->trailers, t);
    kept->with_trailers = true;
}

/* The relay may end its owner, who frees what is kept: it is taken away first. */
void early_pass(struct early **e, struct relay *r)
{
    struct early *kept = *e;
    *e = NULL;
    relay_let_pass(r);
    if (!kept)
        return;
    if (buf_len(&kept->bytes) > 0 || kept->ended)
        relay_body(r, RELAY_NEAR, buf_slice(&kept->bytes), kept->ended);
    if (kept->with_trailers)
        relay_trailers(r, RELAY_NEAR, &kept->trailers);
    early_free(&kept);
}

void early_free(struct early **e)
{
    struct early *kept = *e;
    *e = NULL;
    if (!kept)
        return;
    buf_release(&kept->bytes);
    fields_deinit(&kept->trailers);
    free(kept);
}
