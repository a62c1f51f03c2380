/* SPDX-License-Identifier: MIT */
/* heritage.c - see heritage.h. */
#include "src/heritage.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "h2mux/base/err.h"
#include "src/names/directory.h"
#include "src/names/names_file.h"
#include "src/tunnels/policing.h"
#include "src/tunnels/registry.h"
#include "src/tunnels/tunnel.h"
#include "src/worker/mailbox.h"
#include "src/worker/worker.h"

static void on_names_change(void *user)
{
    struct server *s = user;
    names_file_write_soon(s->names_file);
}

/* Holds a message that tells a worker that the operator has released a name. */
struct released {
    struct mail mail;
    char name[NAME_MAX_LEN + 1];
};

static void deliver_released(struct mail *m, void *reader)
{
    struct released *r = CONTAINER_OF(m, struct released, mail);
    const struct worker *w = reader;
    registry_release(w->registry, slice_str(r->name));
    free(r);
}

/* Posts a message to the worker that holds the name. Runs on the thread of the names file. */
static void on_release(void *user, struct slice name)
{
    struct server *s = user;
    int worker = directory_find(s->directory, name);
    if (worker == DIRECTORY_NOBODY)
        return;
    struct released *r = xcalloc(1, sizeof *r);
    r->mail.deliver = deliver_released;
    memcpy(r->name, name.ptr, name.len);
    mailbox_post(s->workers[worker]->mailbox, &r->mail);
}

/* Gives the names of the names file to the workers in turn. */
struct deal {
    struct server *server;
    unsigned next; /* names dealt so far */
};

/* The policy of a token is in force before its client is back: requests may wait for that. If the
 * server does not have it, the client is not let in. */
static void deal_name(const struct held_name *h, void *user)
{
    struct deal *d = user;
    struct worker *w = d->server->workers[d->next++ % d->server->n_workers];
    registry_adopt(w->registry, h);
    struct tunnel *t = registry_find(w->registry, slice_str(h->name));
    if (!t)
        return;
    bool known = policing_force(w, t);
    (void)known;
    policing_watch(t);
}

int heritage_open(struct server *s, char *what, size_t cap, const char **why)
{
    struct deal deal = {.server = s};
    s->names_file = names_file_new(s->store, s->directory, on_release, s);
    int err = names_file_load(s->names_file, deal_name, &deal, why);
    if (err < 0) {
        snprintf(what, cap, "%s/%s", s->config->names.state_dir, STATE_NAMES);
        return err == ERR_LIMIT ? ERR_IO : err;
    }
    directory_watch(s->directory, on_names_change, s);
    if (names_file_start(s->names_file) == 0)
        return 0;
    snprintf(what, cap, "names file");
    *why = "its thread cannot be started";
    return ERR_LIMIT;
}

void heritage_close(struct server *s)
{
    directory_watch(s->directory, NULL, NULL);
    names_file_free(s->names_file);
}
