/* SPDX-License-Identifier: MIT */
/* tokens.h - holds the tokens file, which says who may share, and judges with it. A line is a token
 * (token.h), or `leap names=PATTERNS`: names that clients of `wave share` may have without a token.
 * Empty lines and lines that begin with '#' are skipped. protocol.md#tokens
 *
 * Any thread may use it: tokens_take exchanges the content under a lock, which is held for a
 * look-up only. Times are wall-clock seconds. In all functions but tokens_take
 * NULL stands for a server without a tokens file, where everybody may share everything. */
#ifndef SRC_NAMES_TOKENS_H
#define SRC_NAMES_TOKENS_H

#include "src/names/token.h"

enum { TOKENS_FILE_MAX = 4 * 1024 * 1024, TOKENS_REASON_MAX = 512 };

struct tokens;

enum token_verdict {
    TOKEN_GOOD,
    TOKEN_NONE,     /* none was shown, and one is wanted */
    TOKEN_UNKNOWN,  /* no line has it */
    TOKEN_OVER,     /* its time is over */
    TOKEN_NAME,     /* it does not permit the name */
    TOKEN_RESERVED, /* the name is reserved for another token */
    TOKEN_DOMAIN,   /* it does not permit the domain */
    TOKEN_POLICY    /* it names a policy that is not there; the caller finds that out */
};

/* What a token permits, beyond names. An `id` that is empty: there is no tokens file. 0: no limit
 * of its own. */
struct token_grant {
    char id[TOKEN_ID_MAX + 1];
    bool secret; /* there is a text that proves the ID; false: a certificate alone does */
    uint64_t max, links, streams;
    char policy[TOKEN_ID_MAX + 1]; /* its name; empty: none */
};

/* Reads the file @path. Returns NULL, with a sentence in @reason, when it cannot be read, when
 * somebody else may have written it, or when a line is wrong. */
struct tokens *tokens_open(const char *path, char reason[static TOKENS_REASON_MAX]) MUSTCHECK;

/* Reads a text as the content of a file. Returns as tokens_open, and ERR_SYNTAX's place is the
 * number of the line. */
struct tokens *tokens_of_text(struct slice text, char reason[static TOKENS_REASON_MAX]) MUSTCHECK;

/* Puts the content of @fresh in place of that of @t, and frees @fresh. Calls @beside meanwhile,
 * while nobody can look at either, so that what belongs to it changes with it; NULL: nothing does.
 */
void tokens_take(struct tokens *t, struct tokens *fresh, void (*beside)(void *user), void *user);

/* NULL is fine. */
void tokens_free(struct tokens *t);

/* Finds the token whose text is @text, in a time that does not depend on where it stands. Fills @g
 * and returns TOKEN_GOOD or TOKEN_OVER; or returns TOKEN_UNKNOWN. */
enum token_verdict tokens_find(struct tokens *t, struct slice text, int64_t now_s,
                               struct token_grant *g) MUSTCHECK;

/* Finds the token with the ID @id, likewise. An empty @id is TOKEN_NONE. */
enum token_verdict tokens_look(struct tokens *t, struct slice id, int64_t now_s,
                               struct token_grant *g) MUSTCHECK;

/* Judges whether the token @id, which must be there and not be over, may have @name. */
enum token_verdict tokens_permit(struct tokens *t, struct slice id, struct slice name,
                                 int64_t now_s) MUSTCHECK;

/* Judges whether the token @id, likewise, may have the domain @host, which is in lower case. */
enum token_verdict tokens_permit_domain(struct tokens *t, struct slice id, struct slice host,
                                        int64_t now_s) MUSTCHECK;

/* Returns whether clients of `wave share` may have @name without a token. */
bool tokens_permit_leap(struct tokens *t, struct slice name) MUSTCHECK;

/* Makes a name that the token @id may have of the random name @word: @word itself, or one that fits
 * a pattern. Returns 0, or ERR_DENIED when its patterns allow no such name. */
int tokens_fit(struct tokens *t, struct slice id, struct slice word,
               char out[static NAME_MAX_LEN + 1]) MUSTCHECK;

/* Calls @has with the policy of each token that names one, until it returns false. Returns false
 * then, and writes the token's ID to @id. */
bool tokens_have_policies(struct tokens *t, bool (*has)(void *user, struct slice policy),
                          void *user, char id[static TOKEN_ID_MAX + 1]) MUSTCHECK;

/* Returns a number that is another one after a reload, and after the time of a token is over. */
uint64_t tokens_epoch(struct tokens *t, int64_t now_s);

/* Returns the number of tokens. */
size_t tokens_count(struct tokens *t);

#endif
