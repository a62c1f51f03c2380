/* SPDX-License-Identifier: MIT */
/* again.c - see again.h. */
#include "client/origin/again.h"

#include <stdlib.h>

struct again *again_new(const struct message *m)
{
    struct again *a = xcalloc(1, sizeof *a);
    message_init(&a->head);
    buf_init(&a->body, AGAIN_MAX);
    if (m) {
        a->head.status = m->status;
        a->head.length = m->length;
        a->head.has_body = m->has_body;
        a->head.minor_version = m->minor_version;
        fields_copy(&a->head.fields, &m->fields);
    }
    return a;
}

void again_free(struct again **a)
{
    if (!*a)
        return;
    message_deinit(&(*a)->head);
    buf_release(&(*a)->body);
    free(*a);
    *a = NULL;
}
