/* SPDX-License-Identifier: MIT */
/* policy_int.h - declares what the files of a policy share; no other file includes this header. */
#ifndef SRC_POLICIES_POLICY_INT_H
#define SRC_POLICIES_POLICY_INT_H

#include <stdatomic.h>

#include "src/http/trust.h"
#include "src/policies/edit.h"
#include "src/policies/policy.h"

enum { USERS_MAX = 32, PATHS_MAX = 32, PATH_LEN_MAX = 256 };

/* Networks: their canonical texts, sorted, and what finds an address in them. */
struct networks {
    char (*text)[TRUST_ADDRESS_MAX + 4]; /* owned */
    size_t n;
    struct trust *set; /* owned; NULL: the member is not there */
};

struct user {
    char *name, *hash; /* owned */
};

struct users {
    struct user v[USERS_MAX];
    size_t n;
};

struct paths {
    char *v[PATHS_MAX]; /* owned */
    size_t n;
};

struct key {
    char *name; /* owned */
    uint8_t hash[POLICY_HASH_LEN];
    int64_t until; /* 0: for ever */
    uint64_t uses; /* 0: any number */
};

struct keys {
    struct key v[POLICY_KEYS_MAX];
    size_t n;
};

struct policy {
    _Atomic unsigned owners;
    char *text; /* owned: canonical */
    uint8_t hash[POLICY_HASH_LEN];
    struct networks allow, deny;
    uint64_t rate, viewers;
    int64_t until; /* 0: never */
    struct edits request, response;
    struct users users;
    struct keys keys;
    struct paths public;
    uint64_t cors; /* 1: true */
};

/* Print into @to. A text that does not fit is cut, which makes it longer than POLICY_MAX. */
void policy_put(struct buf *to, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Puts the key @name in front of a member, behind a comma unless it is the first one. */
void policy_put_key(struct buf *to, const char *name);

struct cJSON;
int policy_take_keys(const struct cJSON *item, void *member, const char **why);
void policy_put_keys(struct buf *to, const char *name, const void *member);

/* Print the member @name with the value @member, unless the policy does not have it. */
void policy_put_networks(struct buf *to, const char *name, const void *member);
void policy_put_number(struct buf *to, const char *name, const void *member);
void policy_put_added(struct buf *to, const char *name, const void *member);
void policy_put_removed(struct buf *to, const char *name, const void *member);
void policy_put_users(struct buf *to, const char *name, const void *member);
void policy_put_paths(struct buf *to, const char *name, const void *member);
void policy_put_true(struct buf *to, const char *name, const void *member);

#endif
