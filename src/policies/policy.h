/* SPDX-License-Identifier: MIT */
/* policy.h - reads and judges a policy: who may look at a tunnel, and how its fields are edited. It
 * is a JSON object, whose members are all optional:
 *
 *   {"allow": [CIDR, ...], "cors": true, "deny": [CIDR, ...],
 *    "keys": [[NAME, HASH, UNTIL, USES], ...], "public": [PATH, ...], "rate": N,
 *    "request_add": [[NAME, VALUE], ...],
 *    "request_remove": [NAME, ...], "response_add": ..., "response_remove": ..., "until": SECONDS,
 *    "users": [[NAME, HASH], ...], "viewers": N}
 *
 * An object without a member is no policy, which NULL stands for. A policy has one canonical text,
 * whatever the spelling that it was read from: printable ASCII without a space. The SHA-256 of that
 * text is its identity. A
 * policy does not change, and any thread may use one. protocol.md#policies */
#ifndef SRC_POLICIES_POLICY_H
#define SRC_POLICIES_POLICY_H

#include "h2mux/http/fields.h"

enum {
    POLICY_MAX = 4096, /* bytes of the text, as it comes and canonical */
    POLICY_HASH_LEN = 32,
    POLICY_HASH_TEXT = 44, /* the hash in base64url, with its zero */
    POLICY_RATE_MAX = 1000000,
    POLICY_VIEWERS_MAX = 1000,
    POLICY_KEYS_MAX = 16,
    POLICY_KEY_LEN = 43 /* of a key: 256 bits in base64url */
};

struct policy;

/* Reads @json into @out. Returns 0, with NULL in @out for an object without a member; ERR_LIMIT
 * when the text is longer than POLICY_MAX; or ERR_SYNTAX. Then @why is static text, a clause. A
 * member that is not known, is there twice or has a value that is not understood is an error: what
 * it would have forbidden must not be permitted. */
int policy_parse(struct slice json, struct policy **out, const char **why) MUSTCHECK;

/* Return @p with one owner more, and take one away; the last one frees it. NULL is fine. */
struct policy *policy_hold(struct policy *p) MUSTCHECK;
void policy_drop(struct policy *p);

/* Return the canonical text, and the hash; an empty text and zeros for NULL. */
struct slice policy_text(const struct policy *p);
const uint8_t *policy_hash(const struct policy *p);

/* Writes the hash in base64url, which stands for the policy in logs, and returns @out; an empty
 * text for NULL. */
const char *policy_hash_text(const struct policy *p, char out[static POLICY_HASH_TEXT]);

/* Returns whether the hash of @p is @hash; of NULL, whether @hash is all zeros. */
bool policy_is(const struct policy *p, const uint8_t hash[static POLICY_HASH_LEN]);

/* Returns the most requests of a viewer a second, and the most viewers at a time; 0: no limit. */
uint64_t policy_rate(const struct policy *p);
uint64_t policy_viewers(const struct policy *p);

/* Returns the wall-clock second from which nobody may look any more; 0: never. */
int64_t policy_until(const struct policy *p);

/* Returns whether viewers have to sign in. Then policy_user returns the hash of the password of
 * @user, and sets @known; for a name that is no user's it returns the hash of another one, so that
 * the same work can be done. */
bool policy_has_users(const struct policy *p);
const char *policy_user(const struct policy *p, struct slice user, bool *known);

/* Returns whether not everybody may look: there are networks, users or keys. */
bool policy_is_for_some(const struct policy *p);

/* Returns whether there are keys, by which viewers come in without a password. policy_find_key
 * finds the one whose text is @key. */
struct policy_key {
    size_t place; /* below POLICY_KEYS_MAX */
    const char *name;
    int64_t until; /* wall-clock second from which it is over; 0: never */
    uint64_t uses; /* how often it may be used; 0: always */
};
bool policy_has_keys(const struct policy *p);
bool policy_find_key(const struct policy *p, struct slice key, struct policy_key *out);

/* Returns whether everybody may have what is at the target @path: a path of `public`, or one below
 * a path that ends with a slash, if it is written so that no origin takes it for another one. */
bool policy_is_public(const struct policy *p, struct slice path);

/* Returns whether pages of other sites may act for viewers who have signed in. */
bool policy_cors(const struct policy *p);

enum policy_verdict {
    POLICY_OK,
    POLICY_DENIED, /* the viewer's address may not look */
    POLICY_OVER    /* nobody may look any more */
};

/* Judges a viewer of the address @address, as text, at the wall-clock second @now_s. An address
 * that is no internet address is in no network. */
enum policy_verdict policy_judge(const struct policy *p, const char *address,
                                 int64_t now_s) MUSTCHECK;

/* Which head is edited: that of a request, of a response, or of an interim response, to which
 * nothing is added. */
enum policy_head { POLICY_REQUEST, POLICY_RESPONSE, POLICY_INTERIM };

/* Removes and adds the fields that the policy says. An added field replaces those of its name that
 * are there; one that is added twice is there twice. */
void policy_edit(const struct policy *p, enum policy_head head, struct fields *f);

/* Returns whether heads of requests are edited. */
bool policy_edits_requests(const struct policy *p);

#endif
