/* SPDX-License-Identifier: MIT */
/* builtin.c - calls the module that answers a built-in; see builtin.h. */
#include "src/edge/builtin.h"

#include "h2mux/base/log.h"
#include "src/edge/admin.h"
#include "src/tunnels/register.h"

static enum builtin_verdict fail(struct builtin_result *out, enum failure why)
{
    out->failure = why;
    return BUILTIN_FAILURE;
}

static enum builtin_verdict attach(struct worker *w, struct call *c, size_t head_bytes,
                                   struct builtin_result *out)
{
    if (attach_accept(w, c, head_bytes, &out->attach, &out->answer))
        return BUILTIN_ATTACHES;
    LOG(INFO, "attach_refused", LOG_S("name", c->route.builtin.name),
        LOG_I("status", out->answer.head.status), LOG_STR("viewer", c->viewer->address));
    out->error = "attach_refused";
    out->close = true;
    return BUILTIN_ANSWER;
}

enum builtin_verdict builtin_serve(struct worker *w, struct call *c, size_t head_bytes,
                                   struct builtin_result *out)
{
    *out = (struct builtin_result){.error = NULL};
    switch (c->route.builtin.kind) {
    case BUILTIN_ATTACH:
        return attach(w, c, head_bytes, out);
    case BUILTIN_NONE:
        return fail(out, FAIL_NOT_FOUND);
    case BUILTIN_METHOD:
        out->allow = c->route.builtin.allow;
        return fail(out, FAIL_METHOD);
    case BUILTIN_OPTIONS:
        answer_options(&out->answer, c->route.builtin.allow);
        break;
    case BUILTIN_LANDING:
        admin_landing(w, &out->answer);
        break;
    case BUILTIN_REGISTER:
    case BUILTIN_REGISTER_OLD:
        register_answer(w, c, &out->answer);
        break;
    case BUILTIN_STATUS:
        admin_status(w, &out->answer);
        break;
    case BUILTIN_TUNNEL_STATUS:
        admin_tunnel_status(w, slice_str(c->route.name), &out->answer);
        break;
    case BUILTIN_HEALTH:
        admin_health(w, &out->answer);
        break;
    }
    return BUILTIN_ANSWER;
}
