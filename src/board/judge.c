/* SPDX-License-Identifier: MIT */
/* judge.c - see judge.h. */
#include "src/board/judge.h"

#include <openssl/crypto.h>
#include <openssl/sha.h>

#include "h2mux/base/inet.h"

/* Takes a port off the end of @authority, if there is one. */
static struct slice host_of(struct slice authority)
{
    ptrdiff_t colon = slice_rfind(authority, ':');
    if (colon > slice_rfind(authority, ']'))
        authority.len = (size_t)colon;
    return authority;
}

static bool is_literal(struct slice authority)
{
    union inet address;
    struct slice host = host_of(authority);
    return slice_ieq(host, SLICE("localhost")) || inet_parse_host(host, &address) != AF_UNSPEC;
}

/* Compares digests, so that neither the time nor a length says how much of a guess is right. */
static bool is_token(struct slice token, struct slice guess)
{
    unsigned char a[SHA256_DIGEST_LENGTH], b[SHA256_DIGEST_LENGTH];
    SHA256((const unsigned char *)token.ptr, token.len, a);
    SHA256((const unsigned char *)guess.ptr, guess.len, b);
    return token.len > 0 && CRYPTO_memcmp(a, b, sizeof a) == 0;
}

/* Returns whether a page of the board itself has caused the request, or no page at all. */
static bool is_own_origin(const struct message *m)
{
    struct slice origin = fields_value(&m->fields, SLICE("origin"));
    struct slice site = fields_value(&m->fields, SLICE("sec-fetch-site"));
    struct slice prefix = SLICE("http://");
    bool own =
        slice_istarts(origin, prefix) && slice_ieq(slice_skip(origin, prefix.len), m->authority);
    bool foreign =
        site.len > 0 && !slice_eq(site, SLICE("same-origin")) && !slice_eq(site, SLICE("none"));
    return !foreign && (!fields_find(&m->fields, SLICE("origin")) || own);
}

static bool is_json(const struct message *m)
{
    struct slice type = fields_value(&m->fields, SLICE("content-type"));
    ptrdiff_t semicolon = slice_find(type, ';');
    if (semicolon >= 0)
        type.len = (size_t)semicolon;
    return slice_ieq(slice_trim(type), SLICE("application/json"));
}

static enum board_verdict check_token(const struct board_door *d, const struct message *m,
                                      const char **reason)
{
    struct slice credentials = fields_value(&m->fields, SLICE("authorization"));
    struct slice scheme = SLICE("bearer ");
    *reason = "The board needs the token: Authorization: Bearer.";
    if (!slice_istarts(credentials, scheme))
        return BOARD_NO_TOKEN;
    *reason = "This is not the token of the board.";
    return is_token(d->token, slice_trim(slice_skip(credentials, scheme.len))) ? BOARD_MAY
                                                                               : BOARD_NO_TOKEN;
}

enum board_verdict board_judge(const struct board_door *d, const struct message *m, bool open,
                               bool changes, const char **reason)
{
    if (d->local && d->uid != d->we && d->uid != 0) {
        *reason = "Only root and the user of the server may use this socket.";
        return BOARD_FORBIDDEN;
    }
    if (!is_literal(m->authority)) {
        *reason = "Ask for the board by its address, or by localhost.";
        return BOARD_FORBIDDEN;
    }
    if (!open && !is_own_origin(m)) {
        *reason = "A page of another site may not use the board.";
        return BOARD_FORBIDDEN;
    }
    if (changes && !is_json(m)) {
        *reason = "A change is a POST of application/json.";
        return BOARD_FORBIDDEN;
    }
    return d->local || open ? BOARD_MAY : check_token(d, m, reason);
}
