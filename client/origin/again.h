/* SPDX-License-Identifier: MIT */
/* again.h - holds the first answer to a request while the same is asked once more by another name
 * (host_choice.h): its head and its body, up to AGAIN_MAX bytes, or why there was none. */
#ifndef CLIENT_ORIGIN_AGAIN_H
#define CLIENT_ORIGIN_AGAIN_H

#include "client/origin/failure.h"
#include "h2mux/base/buf.h"

enum { AGAIN_MAX = 256 * 1024 };

struct again {
    struct message head; /* owned: of the first answer; status 0: there was none */
    struct buf body;
    bool ended;                    /* the first answer is complete */
    bool asks;                     /* the second request is on its way */
    const struct failure *failure; /* static: why there was no answer */
    const char *reason;            /* static: likewise, for the log */
};

/* Makes one for the answer with the head @m, which is copied; NULL: there was none.
 * Never returns NULL. */
struct again *again_new(const struct message *m) MUSTCHECK;

static inline bool again_asks(const struct again *a)
{
    return a && a->asks;
}

/* Frees what is held; *@a is NULL then. */
void again_free(struct again **a);

#endif
