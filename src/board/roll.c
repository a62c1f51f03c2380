/* SPDX-License-Identifier: MIT */
/* roll.c - see roll.h. A roll lives until its last letter is back. Only the asker's thread touches
 * a roll; a letter has what another thread needs. */
#include "src/board/roll.h"

#include <stdlib.h>
#include <string.h>

#include "h2mux/base/alloc.h"
#include "src/worker/mailbox.h"

struct roll {
    struct worker *asker; /* borrowed: outlives every letter */
    const struct roll_ops *ops;
    void *user;     /* borrowed; NULL once cancelled */
    cJSON *all;     /* owned: the parts that are back */
    unsigned away;  /* letters that are not back */
    void *question; /* owned; does not change while letters are away */
};

struct letter {
    struct mail mail;
    struct roll *roll;    /* borrowed: only its constant members, but on the asker's thread */
    struct mailbox *back; /* borrowed */
    cJSON *part;          /* owned */
};

/* Moves the elements of @part to the end of @all, and frees @part. */
static void append(cJSON *all, cJSON *part)
{
    while (part->child)
        cJSON_AddItemToArray(all, cJSON_DetachItemViaPointer(part, part->child));
    cJSON_Delete(part);
}

static void come_back(struct mail *m, void *reader)
{
    struct letter *l = CONTAINER_OF(m, struct letter, mail);
    struct roll *r = l->roll;
    append(r->all, l->part);
    free(l);
    if (--r->away > 0)
        return;
    if (r->user)
        r->ops->done(r->user, r->all);
    else
        cJSON_Delete(r->all);
    free(r->question);
    free(r);
}

static void visit(struct mail *m, void *reader)
{
    struct letter *l = CONTAINER_OF(m, struct letter, mail);
    l->part = cJSON_CreateArray();
    l->roll->ops->fill(reader, l->roll->question, l->part);
    l->mail.deliver = come_back;
    mailbox_post(l->back, &l->mail);
}

struct roll *roll_call(struct worker *asker, const struct roll_ops *ops, const void *question,
                       size_t len, void *user)
{
    struct server *s = asker->server;
    struct roll *r = xcalloc(1, sizeof *r);
    if (CHECKING)
        worker_check(asker);
    *r = (struct roll){.asker = asker, .ops = ops, .user = user, .away = s->n_workers};
    r->all = cJSON_CreateArray();
    r->question = xmalloc(len);
    memcpy(r->question, question, len);
    for (unsigned i = 0; i < s->n_workers; i++) {
        struct letter *l = xcalloc(1, sizeof *l);
        l->mail.deliver = visit;
        l->roll = r;
        l->back = asker->mailbox;
        mailbox_post(s->workers[i]->mailbox, &l->mail);
    }
    return r;
}

void roll_cancel(struct roll *r)
{
    if (r)
        r->user = NULL;
}
