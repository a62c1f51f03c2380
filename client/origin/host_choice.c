/* SPDX-License-Identifier: MIT */
/* host_choice.c - see host_choice.h. */
#include "client/origin/host_choice.h"

enum { TRIES = 3 };

void host_choice_init(struct host_choice *c, const struct rewrite *given)
{
    *c = (struct host_choice){.given = *given, .local = *given, .tries = TRIES};
    c->local.mode = REWRITE_ALL;
}

const struct rewrite *host_choice_now(const struct host_choice *c)
{
    return c->learned ? &c->local : &c->given;
}

bool host_choice_take(struct host_choice *c, const struct rewrite *as)
{
    if (c->given.mode != REWRITE_AUTO || as == &c->local)
        return false;
    if (c->learned) /* meanwhile, by another request: this is no guess */
        return true;
    if (c->tries == 0)
        return false;
    c->tries--;
    return true;
}

void host_choice_give_back(struct host_choice *c)
{
    if (c->tries < TRIES)
        c->tries++;
}

bool host_choice_is_worth(const struct host_choice *c, enum doubt kind, bool websocket)
{
    if (kind == DOUBT_SILENT || websocket)
        return c->learned || !c->served[websocket];
    return kind == DOUBT_READ;
}

bool host_choice_note(struct host_choice *c, const struct rewrite *as, int status, bool websocket)
{
    if (as != &c->local) {
        c->served[websocket] |= status < 300;
        return false;
    }
    bool news = !c->learned && c->given.mode == REWRITE_AUTO;
    c->learned = true;
    return news;
}
