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

/* What the files say; NULL: there is no such file. */
struct files {
    struct tokens *tokens;     /* owned */
    struct policies *policies; /* owned */
};

static void files_free(struct files *f)
{
    tokens_free(f->tokens);
    policies_free(f->policies);
}

/* Reads the files @tokens and @policies, each of which may be NULL, and judges whether each token
 * that names a policy names one that is there. Returns 0; or ERR_SYNTAX with a sentence in @reason
 * and nothing in @f. */
static int files_read(struct files *f, const char *tokens, const char *policies,
                      char reason[static TOKENS_REASON_MAX])
{
    char id[TOKEN_ID_MAX + 1];
    *f = (struct files){.policies = policies ? policies_open(policies, reason) : NULL};
    if (policies && !f->policies)
        return ERR_SYNTAX;
    f->tokens = tokens ? tokens_open(tokens, reason) : NULL;
    bool good = !tokens || f->tokens;
    if (good && !tokens_have_policies(f->tokens, has_policy, f->policies, id)) {
        snprintf(reason, TOKENS_REASON_MAX,
                 "%s: the token '%s' names a policy that --policies lacks", tokens, id);
        good = false;
    }
    if (good)
        return 0;
    files_free(f);
    return ERR_SYNTAX;
}

int admission_open(struct server *s, char reason[static TOKENS_REASON_MAX])
{
    struct files f;
    if (files_read(&f, s->config->names.tokens, s->config->names.policies, reason) < 0)
        return ERR_SYNTAX;
    s->tokens = f.tokens;
    s->policies = f.policies;
    if (!s->tokens)
        LOG(WARN, "registration_open",
            LOG_STR("reason", "without --tokens everybody who reaches this server may share"));
    return 0;
}

/* The policies of a server, and what takes their place. */
struct change {
    struct policies *now, *fresh;
};

static void change_policies(void *user)
{
    struct change *c = user;
    if (c->now)
        policies_take(c->now, c->fresh);
}

static void log_not_reloaded(const struct server *s, const char *reason)
{
    if (s->policies)
        LOG(ERROR, "policies_not_reloaded", LOG_STR("reason", reason));
    if (s->tokens)
        LOG(ERROR, "tokens_not_reloaded", LOG_STR("reason", reason));
}

void admission_reload(struct server *s)
{
    char reason[TOKENS_REASON_MAX];
    const char *tokens = s->tokens ? s->config->names.tokens : NULL;
    const char *policies = s->policies ? s->config->names.policies : NULL;
    struct files f;
    if (files_read(&f, tokens, policies, reason) < 0) {
        log_not_reloaded(s, reason);
        return;
    }
    struct change change = {s->policies, f.policies};
    if (s->tokens)
        tokens_take(s->tokens, f.tokens, change_policies, &change);
    else
        change_policies(&change);
    if (policies)
        LOG(INFO, "policies_reloaded", LOG_STR("path", policies));
    if (tokens)
        LOG(INFO, "tokens_reloaded", LOG_STR("path", tokens),
            LOG_U("tokens", tokens_count(s->tokens)));
}

void admission_close(struct server *s)
{
    tokens_free(s->tokens);
    policies_free(s->policies);
}
