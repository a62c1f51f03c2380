/* SPDX-License-Identifier: MIT */
/* policy.h - writes who may look at a tunnel, as the server reads it: a JSON object.
 * protocol.md#policies */
#ifndef CLIENT_POLICY_H
#define CLIENT_POLICY_H

#include "client/share_keys.h"
#include "client/users.h"
#include "h2mux/base/opt.h"

/* The options, as given. The lists are checked by the functions below. */
struct policy_options {
    struct opt_list allow, deny;               /* networks */
    struct opt_list header_add, header_remove; /* [request|response] NAME[: VALUE] */
    struct opt_list auth, public;              /* NAME:PASSWORD; paths */
    struct opt_list keys;                      /* NAME[:TIME[:USES]] */
    const char *auth_file;                     /* NULL: none */
    bool cors;
    uint64_t rate, viewers; /* 0: no limit */
    uint64_t expires_ms;    /* 0: never */
};

enum { POLICY_TEXT_MAX = 4096 };

/* Return 0 for a network, for "NAME: VALUE" and for "NAME", the last two with `request` or
 * `response` and a blank in front or not; or ERR_SYNTAX. */
int policy_check_network(const char *value) MUSTCHECK;
int policy_check_add(const char *value) MUSTCHECK;
int policy_check_remove(const char *value) MUSTCHECK;
/* Returns 0 for a path that may be public, else ERR_SYNTAX. */
int policy_check_path(const char *value) MUSTCHECK;

/* Returns the JSON, which the caller frees; NULL when there is no policy. @users are those of
 * --auth and --auth-file, @keys those of --share-key. @until_s is the wall-clock second from which
 * nobody may look; 0: there is none. */
char *policy_write(const struct policy_options *o, const struct users *users,
                   const struct share_keys *keys, int64_t until_s) MUSTCHECK;

#endif
