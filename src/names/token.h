/* SPDX-License-Identifier: MIT */
/* token.h - reads and judges a line of the tokens file: who may share, and what. The line is
 *
 *   ID sha256:HEX [names=PATTERNS] [reserve=PATTERNS] [domains=HOSTS] [max=N] [links=N] [streams=N]
 *      [until=DATE] [policy=NAME] [comment...]
 *
 * HEX is the SHA-256 of the token's text. A token is 256 random bits, so nothing slower is needed.
 * The word `cert` in its place means that only a client certificate proves the ID. Pure but for
 * token_new. protocol.md#tokens */
#ifndef SRC_NAMES_TOKEN_H
#define SRC_NAMES_TOKEN_H

#include "src/http/route.h"

enum {
    TOKEN_ID_MAX = 64,
    TOKEN_HASH_LEN = 32,

    /* "op_" and 256 bits in base64url */
    TOKEN_TEXT_LEN = 46,

    /* the longest text that is looked at */
    TOKEN_TEXT_MAX = 256
};

/* Slices are borrowed from the line, and empty where it does not have the option. 0: the token has
 * no limit of its own. */
struct token {
    char id[TOKEN_ID_MAX + 1];
    bool secret; /* `hash` is set */
    uint8_t hash[TOKEN_HASH_LEN];
    struct slice names;      /* patterns (name_pattern.h) */
    struct slice reserve;    /* likewise */
    struct slice domains;    /* hosts in lower case, with commas */
    uint64_t max;            /* names at a time */
    uint64_t links, streams; /* links of a name, streams of a link */
    struct slice policy;     /* the name of a policy of the operator (src/policies/policies.h) */
    int64_t until;           /* wall-clock second from which it is over; 0: never */
};

/* Returns whether @id may be the ID of a token: 1 to TOKEN_ID_MAX letters, digits and ".-_@",
 * neither
 * '-' nor '@' as the first. "leap" is none: a line of that word has another meaning. */
bool token_id_valid(struct slice id);

/* Reads a line, without its line end, into @out. Returns 0, or ERR_SYNTAX with static text in @why.
 * An option that is not known is an error, as is one in the comment. */
int token_parse(struct slice line, struct token *out, const char **why) MUSTCHECK;

/* Reads an option `key=value` of such a line into @out. Returns 0, or ERR_SYNTAX with static text
 * in
 * @why. */
int token_option(struct slice word, struct token *out, const char **why) MUSTCHECK;

/* Returns whether the token may have @name, as far as its own line says. */
bool token_permits(const struct token *t, struct slice name);

enum { TOKEN_HOST_MAX = 253 };

/* Returns whether @host may be a domain of a token: a name of two labels or more, in lower case. */
bool token_host_valid(struct slice host);

/* Returns whether the token may have the host @host, in lower case, as a domain of its own. */
bool token_has_domain(const struct token *t, struct slice host);

/* Returns whether the token is over at @now_s. */
bool token_is_over(const struct token *t, int64_t now_s);

/* Writes the SHA-256 of the token's text @text into @hash. Returns 0, or ERR_IO when OpenSSL
 * fails. */
int token_hash(struct slice text, uint8_t hash[static TOKEN_HASH_LEN]) MUSTCHECK;

/* Makes a new token. Returns 0, or ERR_IO when there are no random bytes. */
int token_new(char out[static TOKEN_TEXT_LEN + 1]) MUSTCHECK;

#endif
