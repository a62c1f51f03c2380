/* SPDX-License-Identifier: MIT */
/* pass.h - makes and reads the cookie that a viewer has behind the gate of a name. It is
 * `EXPIRY.TAG.MAC`: until when it is good, the credential that it was given for, and the MAC of
 * both with the name, its owner and its policy. http-rules.md#policies */
#ifndef SRC_POLICIES_PASS_H
#define SRC_POLICIES_PASS_H

#include "h2mux/http/fields.h"
#include "src/names/owner.h"
#include "src/policies/memo.h"
#include "src/policies/policy.h"

struct keyring;

enum { PASS_TAG_LEN = 16, PASS_MAX = 128, PASS_LIFE_S = 12 * 3600 };

/* Whose gate it is. All is borrowed. */
struct pass_place {
    struct keyring *keyring;
    const char *name;
    const uint8_t *owner; /* OWNER_LEN bytes */
    const struct policy *policy;
    bool https;        /* the viewer uses it */
    struct memo *memo; /* of this very place; NULL: everything is computed anew */
};

/* Writes into @tag what stands for the credential @value: a key, or `NAME:PASSWORD`.
 * Returns 0, or ERR_IO when OpenSSL fails. */
int pass_tag(const struct pass_place *at, struct slice value, int64_t now_s,
             uint8_t tag[static PASS_TAG_LEN]) MUSTCHECK;

/* Writes a pass that is good until @until_s, which is PASS_LIFE_S from now or less. Returns 0, or
 * ERR_IO. */
int pass_make(const struct pass_place *at, const uint8_t tag[static PASS_TAG_LEN], int64_t until_s,
              char out[static PASS_MAX]) MUSTCHECK;

/* Returns whether the pass @text is good, and fills @tag then. Any key of the keyring may have made
 * it. */
bool pass_verify(const struct pass_place *at, struct slice text, int64_t now_s,
                 uint8_t tag[static PASS_TAG_LEN]);

/* Takes the gate's cookies, in both spellings, out of the Cookie fields of @f. Returns whether one
 * of those that belong to the viewer's scheme is a good pass, and fills @tag then. */
bool pass_take(const struct pass_place *at, struct fields *f, int64_t now_s,
               uint8_t tag[static PASS_TAG_LEN]);

/* Adds the Set-Cookie by which the viewer keeps @pass: `__Host-oneport` over https, `oneport` on
 * plain http. */
void pass_set(struct fields *f, bool https, const char *pass);

/* Removes each Set-Cookie of the gate's names, which an origin must not set. */
void pass_guard_response(struct fields *f);

/* Adds `Cache-Control: private` to a response, unless it is private already or not to be stored: a
 * cache in front of the server would give it to people who have not signed in. */
void pass_keep_private(struct fields *f);

#endif
