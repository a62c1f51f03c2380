/* SPDX-License-Identifier: MIT */
/* admission.c - see admission.h. */
#include "src/admission.h"

#include <stdio.h>

#include "h2mux/base/err.h"
#include "h2mux/base/log.h"
#include "src/policies/policies.h"

static bool has_policy(void *policies, struct slice name)
{
    struct policy *p;
    bool has = policies_find(policies, name, &p);
    policy_drop(p);
    return has;
}

/* Returns whether each token that names a policy names one that is there. */
static bool are_complete(struct server *s, char id[static TOKEN_ID_MAX + 1])
{
    return tokens_have_policies(s->tokens, has_policy, s->policies, id);
}

int admission_open(struct server *s, char reason[static TOKENS_REASON_MAX])
{
    char id[TOKEN_ID_MAX + 1];
    if (s->config->names.policies) {
        s->policies = policies_open(s->config->names.policies, reason);
        if (!s->policies)
            return ERR_SYNTAX;
    }
    if (!s->config->names.tokens) {
        LOG(WARN, "registration_open",
            LOG_STR("reason", "without --tokens everybody who reaches this server may share"));
        return 0;
    }
    s->tokens = tokens_open(s->config->names.tokens, reason);
    if (!s->tokens)
        return ERR_SYNTAX;
    if (are_complete(s, id))
        return 0;
    snprintf(reason, TOKENS_REASON_MAX, "%s: the token '%s' names a policy that --policies lacks",
             s->config->names.tokens, id);
    return ERR_SYNTAX;
}

static void reload_policies(struct server *s)
{
    char reason[POLICIES_REASON_MAX];
    if (!s->policies)
        return;
    if (policies_reload(s->policies, s->config->names.policies, reason) < 0)
        LOG(ERROR, "policies_not_reloaded", LOG_STR("reason", reason));
    else
        LOG(INFO, "policies_reloaded", LOG_STR("path", s->config->names.policies));
}

void admission_reload(struct server *s)
{
    char reason[TOKENS_REASON_MAX], id[TOKEN_ID_MAX + 1];
    reload_policies(s);
    if (!s->tokens)
        return;
    if (tokens_reload(s->tokens, s->config->names.tokens, reason) < 0)
        LOG(ERROR, "tokens_not_reloaded", LOG_STR("reason", reason));
    else
        LOG(INFO, "tokens_reloaded", LOG_STR("path", s->config->names.tokens),
            LOG_U("tokens", tokens_count(s->tokens)));
    if (!are_complete(s, id))
        LOG(ERROR, "policy_missing", LOG_STR("token", id),
            LOG_STR("reason", "the token names a policy that --policies lacks: it shares nothing"));
}

void admission_close(struct server *s)
{
    tokens_free(s->tokens);
    policies_free(s->policies);
}
