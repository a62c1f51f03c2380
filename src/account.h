/* SPDX-License-Identifier: MIT */
/* account.h - chooses the user that oneportd serves as, and becomes that user. http-rules.md, rules
 * O120 to O122
 *
 * Root binds ports and reads keys. Then it tries whether the user can do later what a reload does,
 * and becomes that user for good. */
#ifndef SRC_ACCOUNT_H
#define SRC_ACCOUNT_H

#include <sys/types.h>

#include "src/worker/config.h"

enum { ACCOUNT_REASON_MAX = 1024, ACCOUNT_NAME_MAX = 64 };

struct account {
    char name[ACCOUNT_NAME_MAX]; /* or the number, for a user without a name */
    uid_t uid;
    gid_t gid;
    gid_t *groups; /* owned: all groups of the user, with `gid` */
    int n_groups;
    bool changes; /* the process is root and is to become this user */
};

/* Chooses the user: the one that --user names; else, for root, the owner of the state directory.
 * Without such an owner the process stays what it is. Returns 0; ERR_NOT_FOUND when there is no
 * such user; or ERR_DENIED when only root could become that user. After a failure @reason is a
 * sentence. */
int account_choose(struct account *a, const struct config *c,
                   char reason[static ACCOUNT_REASON_MAX]) MUSTCHECK;

/* Becomes the chosen user, with its groups, so that there is no way back. Before that gives the
 * state directory to the user, and tries as the user whether configuration file, certificate and
 * key can be read and the access log can be written. The process has one thread. Returns 0; or
 * ERR_DENIED or ERR_IO with a sentence in @reason, which says which group could do what the user
 * cannot. */
int account_become(const struct account *a, const struct config *c,
                   char reason[static ACCOUNT_REASON_MAX]) MUSTCHECK;

void account_deinit(struct account *a);

#endif
