/* SPDX-License-Identifier: MIT */
/* admission.c - see admission.h. */
#include "src/admission.h"

#include "h2mux/base/err.h"
#include "h2mux/base/log.h"

int admission_open(struct server *s, char reason[static TOKENS_REASON_MAX])
{
    if (!s->config->names.tokens) {
        LOG(WARN, "registration_open",
            LOG_STR("reason", "without --tokens everybody who reaches this server may share"));
        return 0;
    }
    s->tokens = tokens_open(s->config->names.tokens, reason);
    return s->tokens ? 0 : ERR_SYNTAX;
}

void admission_reload(struct server *s)
{
    char reason[TOKENS_REASON_MAX];
    if (!s->tokens)
        return;
    if (tokens_reload(s->tokens, s->config->names.tokens, reason) < 0)
        LOG(ERROR, "tokens_not_reloaded", LOG_STR("reason", reason));
    else
        LOG(INFO, "tokens_reloaded", LOG_STR("path", s->config->names.tokens),
            LOG_U("tokens", tokens_count(s->tokens)));
}

void admission_close(struct server *s)
{
    tokens_free(s->tokens);
}
