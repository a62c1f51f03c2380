/* SPDX-License-Identifier: MIT */
/* held_name.h - prints and reads a line of the names file. The line stands for one name that an
 * owner holds: `name owner-in-hex until asked rev token domain`, with one word more if an old
 * client may serve it, `called=ADDRESS` or `served=ADDRESS`, and another if it has a policy,
 * `policy=TEXT`. protocol.md#names-file */
#ifndef SRC_NAMES_HELD_NAME_H
#define SRC_NAMES_HELD_NAME_H

#include "h2mux/base/buf.h"
#include "src/http/route.h"
#include "src/limits/address.h"
#include "src/names/owner.h"
#include "src/names/token.h"

/* Says which old client may serve a name. Its sockets carry no secret, so its address stands for
 * it. protocol.md#old-clients */
struct old_claim {
    enum old_state {
        OLD_NONE,   /* none: the name is that of a ticket */
        OLD_CALLED, /* a call without fields of ours has registered it, and nothing has come yet */
        OLD_SERVED  /* sockets came first: no link may attach */
    } state;
    struct address from; /* unless OLD_NONE: who called */
};

struct held_name {
    char name[NAME_MAX_LEN + 1];
    uint8_t owner[OWNER_LEN];

    /* The wall-clock second until which the name is held. 0 if the name was live when the line was
     * written, since its hold had no end yet. */
    int64_t until;

    bool asked; /* the client asked for this name; false: the name is random */

    int64_t rev;                  /* of the newest ticket of the name (ticket.h) */
    char token[TOKEN_ID_MAX + 1]; /* the ID of the token that it is held by; empty: none */
    struct slice domain;          /* of its own, borrowed from the line; empty: none */
    struct old_claim old;

    /* The canonical text of its policy (src/policies/policy.h), which has no space; borrowed from
     * the line; empty: none. It is not looked into here. */
    struct slice policy;
};

/* Appends the line of @h to @to. Returns 0, or ERR_LIMIT when the line does not fit. */
int held_name_print(struct buf *to, const struct held_name *h) MUSTCHECK;

/* Reads a line, without its line feed, into @out; one of an older version ends behind `asked`.
 * Returns 0, or ERR_SYNTAX when the line is malformed. */
int held_name_parse(struct slice line, struct held_name *out) MUSTCHECK;

#endif
