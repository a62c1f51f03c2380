/* SPDX-License-Identifier: MIT */
/* refusal.c - makes the answers of refusals; see refusal.h. */
#include "src/tunnels/refusal.h"

#include <stdio.h>

#include "h2mux/base/clock.h"
#include "src/limits/bans.h"
#include "src/limits/quota.h"

enum { NAMES_RETRY_S = 60 };

/* Makes @a a 429 because of the viewer's address, and logs the refusal at most once a second. */
static void refuse_address(struct answer *a, struct worker *w, const struct viewer *v,
                           const char *error, const char *message, unsigned retry_after_s)
{
    uint64_t suppressed;
    if (log_limit_pass(&w->quota_log, loop_now_us(w->loop), &suppressed))
        LOG(WARN, "address_refused", LOG_STR("viewer", v->address), LOG_STR("reason", error),
            LOG_U("suppressed", suppressed));
    answer_refusal(a, 429, error, message, retry_after_s);
}

/* Refuses a forged secret, unless the quota of the address is used up. */
static void refuse_forged(struct answer *a, struct worker *w, const struct viewer *v,
                          const char *error, const char *message)
{
    unsigned wait_s = quota_take_bad_ticket(w->server->quota, v, loop_now_us(w->loop));
    if (wait_s == 0)
        answer_refusal(a, 403, error, message, 0);
    else
        refuse_address(a, w, v, "too_many_bad_tickets",
                       "Your address has come with bad tickets or tokens too often: wait a little.",
                       wait_s);
}

void refusal_bad_ticket(struct answer *a, struct worker *w, const struct viewer *v, bool forged,
                        const char *message)
{
    if (forged)
        refuse_forged(a, w, v, "bad_ticket", message);
    else
        answer_refusal(a, 403, "bad_ticket", message, 0);
}

void refusal_token(struct answer *a, struct worker *w, const struct viewer *v,
                   enum token_verdict verdict)
{
    switch (verdict) {
    case TOKEN_GOOD:
    case TOKEN_NONE:
        answer_refusal(a, 401, "token_required",
                       "This server wants a token: ask its operator for one, and give it to "
                       "oneport by --token-file or `oneport login`.",
                       0);
        break;
    case TOKEN_UNKNOWN:
        refuse_forged(a, w, v, "bad_token",
                      "The token is not one of this server, or not any more.");
        break;
    case TOKEN_OVER:
        answer_refusal(a, 403, "token_expired", "The time of the token is over.", 0);
        break;
    case TOKEN_NAME:
        answer_refusal(a, 403, "name_not_permitted", "The token does not permit this name.", 0);
        break;
    case TOKEN_RESERVED:
        answer_refusal(a, 403, "name_not_permitted", "The name is kept for another token.", 0);
        break;
    case TOKEN_POLICY:
        answer_refusal(a, 403, "policy_unknown",
                       "The token names a policy that this server does not have.", 0);
        break;
    case TOKEN_DOMAIN:
        answer_refusal(a, 403, "domain_not_permitted", "The token does not permit this domain.", 0);
        break;
    }
}

void refusal_domain_taken(struct answer *a)
{
    answer_refusal(a, 409, "domain_taken", "Another name is served under this domain.", 0);
}

enum token_verdict domain_wanted(const struct fields *f, struct tokens *tokens, struct slice id,
                                 char out[static TOKEN_HOST_MAX + 1])
{
    struct slice host = slice_trim(fields_value(f, SLICE("oneport-domain")));
    out[0] = '\0';
    if (!fields_find(f, SLICE("oneport-domain")))
        return TOKEN_GOOD;
    if (host.len == 0 || host.len > TOKEN_HOST_MAX)
        return TOKEN_DOMAIN;
    memcpy(out, host.ptr, host.len);
    out[host.len] = '\0';
    ascii_lower(out, host.len);
    return tokens_permit_domain(tokens, id, slice_make(out, host.len), clock_wall_s());
}

void refusal_too_many_of_token(struct answer *a)
{
    answer_refusal(a, 429, "too_many_names", "Your token holds as many names as it may.",
                   NAMES_RETRY_S);
}

void refusal_name_taken(struct answer *a, unsigned retry_after_s)
{
    char until[CLOCK_ISO_MAX], message[128];
    clock_iso(clock_wall_s() + retry_after_s, until);
    snprintf(message, sizeof message, "This name is somebody else's, at least until %s.", until);
    answer_refusal_until(a, 409, "name_taken", message, retry_after_s, until);
}

void refusal_too_many_names(struct answer *a, struct worker *w, const struct viewer *v)
{
    refuse_address(a, w, v, "too_many_names", "Your address holds as many names as it may.",
                   NAMES_RETRY_S);
}

void refusal_too_many_registers(struct answer *a, struct worker *w, const struct viewer *v,
                                unsigned retry_after_s)
{
    refuse_address(a, w, v, "too_many_registers",
                   "Your address has registered too often: wait a little.", retry_after_s);
}

bool refusal_banned(struct answer *a, struct worker *w, struct slice name, const struct viewer *v)
{
    char text[CLOCK_ISO_MAX], message[128];
    struct address of;
    uint64_t suppressed, now_us = loop_now_us(w->loop);
    bool known = address_of_viewer(v, &of);
    uint64_t until_us = bans_of_sharing(w->server->bans, name, known ? &of : NULL, now_us);
    if (until_us == 0)
        return false;
    if (log_limit_pass(&w->quota_log, now_us, &suppressed))
        LOG(WARN, "address_refused", LOG_STR("viewer", v->address), LOG_STR("reason", "banned"),
            LOG_S("name", name), LOG_U("suppressed", suppressed));
    clock_iso(clock_wall_s() + (int64_t)((until_us - now_us) / 1000000) + 1, text);
    snprintf(message, sizeof message, "The operator of this server has shut you out, until %s.",
             text);
    answer_refusal_until(a, 403, "banned", message, 0, text);
    return true;
}

void refusal_full(struct answer *a, unsigned retry_after_s)
{
    answer_refusal(a, 503, "too_many_tunnels", "This server holds as many names as it can.",
                   retry_after_s);
}
