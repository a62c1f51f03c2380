/* SPDX-License-Identifier: MIT */
/* login.h - is the gate of a name whose policy has users: judges by a request's head whether its
 * viewer may go in. Who has the gate's cookie may, and who shows a good name and password (Basic)
 * gets that cookie. A password is checked elsewhere, since that takes long; a good one is
 * remembered. Neither lets a page of another site act for the viewer. http-rules.md#policies
 *
 * Belongs to the thread of a worker. The time is an argument. */
#ifndef SRC_POLICIES_LOGIN_H
#define SRC_POLICIES_LOGIN_H

#include "h2mux/base/list.h"
#include "h2mux/http/message.h"
#include "src/http/trust.h"
#include "src/policies/pass.h"
#include "src/policies/password.h"

struct login;

struct login *login_new(void) MUSTCHECK;
void login_free(struct login *l);

/* Frees what has not been used for a while, and return how much memory the gate has beyond itself,
 * in bytes. NULL is fine. */
void login_tidy(struct login *l, uint64_t now_us, int64_t now_s);
size_t login_bytes(const struct login *l);

/* Returns what the gate remembers of passes, for a pass_place. NULL is fine. */
struct memo *login_memo(const struct login *l);

enum login_verdict {
    LOGIN_OPEN,     /* the request goes in */
    LOGIN_CHECK,    /* if the password is good: it has to be checked */
    LOGIN_WANTED,   /* nothing good was shown */
    LOGIN_FOREIGN,  /* a page of another site has caused the request */
    LOGIN_TOO_OFTEN /* this address has shown too many wrong passwords */
};

/* A check that is under way. */
struct login_check {
    struct list_node node;
    uint8_t tag[PASS_TAG_LEN];
};

/* What comes of a request. */
struct login_look {
    bool fresh; /* the viewer gets a cookie */
    uint8_t tag[PASS_TAG_LEN];
    struct basic shown;       /* LOGIN_CHECK: the password to check, */
    const char *hash;         /* with this hash, which lives as long as the policy; */
    bool known;               /* the user exists, else no password is good */
    struct login_check *same; /* LOGIN_CHECK: this one will tell, and is used before the loop goes
                               * on; NULL: the viewer has paid a try for a check of its own */
};

/* Judges the request @m, whose policy is @at->policy. Takes the gate's cookie, and the
 * Authorization that was meant for the gate, out of @m, unless the request is refused. */
enum login_verdict login_judge(struct login *l, const struct pass_place *at, struct message *m,
                               bool websocket, const struct viewer *v, uint64_t now_us,
                               int64_t now_s, struct login_look *out) MUSTCHECK;

/* Returns whether the viewer of @m can have the gate's cookie: over https, or on localhost. */
bool login_may_have_cookie(const struct pass_place *at, const struct message *m);

/* Notes that the check @c of @look has begun, which is the caller's and lives until login_end. */
void login_begin(struct login *l, const struct login_look *look, struct login_check *c);

enum login_result { LOGIN_GOOD, LOGIN_WRONG, LOGIN_UNCHECKED };

/* Notes how the check @c, for which the viewer @v has paid, has ended. A try is given back unless
 * the password was wrong. */
void login_end(struct login *l, struct login_check *c, const struct viewer *v,
               enum login_result result, uint64_t now_us);

#endif
