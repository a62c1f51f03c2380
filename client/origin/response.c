/* SPDX-License-Identifier: MIT */
/* response.c - see response.h. */
#include "client/origin/response.h"

#include "client/origin/translate.h"
#include "h2mux/http/grpc.h"
#include "h2mux/http/upgrade.h"

enum { INTERIM_MAX = 8, INTERIM_BYTES_MAX = 16 * 1024, SMALL_BODY = 16 * 1024 };

static struct response_verdict wrong(const struct failure *why, const char *step,
                                     const char *reason)
{
    return (struct response_verdict){
        .kind = RESPONSE_WRONG, .why = why, .step = step, .reason = reason};
}

/* Returns whether what follows goes before bulk on the link: short bodies, event streams and
 * messages of gRPC do. */
static bool is_interactive(const struct message *m, bool end)
{
    struct slice type = fields_value(&m->fields, SLICE("content-type"));
    return end || (m->length >= 0 && m->length <= SMALL_BODY) ||
           slice_istarts(type, SLICE("text/event-stream")) || grpc_is(&m->fields);
}

/* Bounds the number of interim heads and their bytes (R4). */
static enum response_kind judge_interim(const struct response_asked *asked,
                                        struct response_interim *seen, struct message *m)
{
    bool wanted = m->status != 100 || asked->wants_continue;
    if (!wanted || asked->websocket || seen->count++ >= INTERIM_MAX)
        return RESPONSE_DROPPED;
    if (translate_from_origin(m) < 0 || seen->bytes + m->fields.bytes > (size_t)INTERIM_BYTES_MAX)
        return RESPONSE_DROPPED;
    seen->bytes += m->fields.bytes;
    return RESPONSE_INTERIM;
}

/* Makes a head that is not interim fit for the link. R8: a 205 has no body; what an origin sends
 * behind one is not read. */
static struct response_verdict fit(const struct response_asked *asked, const struct rewrite *w,
                                   struct message *m, enum response_kind kind, bool end)
{
    bool cut = kind == RESPONSE_FINAL && m->status == 205 && !end;
    if (translate_from_origin(m) < 0)
        return wrong(&failure_protocol, "response head", "Connection names an end-to-end field");
    rewrite_response(w, m, asked->scheme, asked->authority);
    if (m->fields.bytes > FIELDS_SUBMIT_MAX)
        return wrong(&failure_head_size, "response head", "too large for the link");
    bool interactive = asked->websocket || is_interactive(m, end || cut);
    return (struct response_verdict){
        .kind = kind,
        .hint = interactive ? LEG_INTERACTIVE : LEG_BULK,
        .end = end || cut,
        .cut = cut,
    };
}

static struct response_verdict judge_upgrade(const struct response_asked *asked,
                                             const struct rewrite *w, struct message *m, bool end)
{
    const char *reason = NULL;
    enum upgrade_verdict verdict = asked->by_stream
                                       ? upgrade_judge_stream(asked->request, m, end, &reason)
                                       : upgrade_judge(asked->request, m, &reason);
    switch (verdict) {
    case UPGRADE_OPEN:
        return fit(asked, w, m, RESPONSE_OPEN, false);
    case UPGRADE_REFUSED:
        return fit(asked, w, m, RESPONSE_FINAL, end);
    case UPGRADE_BROKEN:
        break;
    }
    return wrong(&failure_upgrade, "upgrade", reason);
}

struct response_verdict response_judge(const struct response_asked *asked, const struct rewrite *w,
                                       struct response_interim *seen, struct message *m, bool end)
{
    if (m->status < 100 || m->status > 599) /* nghttp2 lets 099 and 600 pass (G10) */
        return wrong(&failure_protocol, "response head", "no status of HTTP");
    if (m->status < 200 && m->status != 101)
        return (struct response_verdict){.kind = judge_interim(asked, seen, m)};
    if (asked->websocket)
        return judge_upgrade(asked, w, m, end);
    if (m->status == 101)
        return wrong(&failure_protocol, "response head", "101 was not asked for");
    return fit(asked, w, m, RESPONSE_FINAL, end);
}
