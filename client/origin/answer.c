/* SPDX-License-Identifier: MIT */
/* answer.c - the origin's response heads: what is passed on, what is refused, and when a WebSocket
 * is open. Rules R1-R8, W5. */
#include "client/origin/exchange_int.h"
#include "client/origin/translate.h"
#include "client/origin/upgrade.h"

enum { INTERIM_MAX = 8, INTERIM_BYTES_MAX = 16 * 1024, SMALL_ANSWER = 16 * 1024 };

/* Short answers and event streams go before bulk on the link. */
static bool is_interactive(const struct message *m, bool end)
{
    struct slice type = fields_value(&m->fields, SLICE("content-type"));
    return end || (m->length >= 0 && m->length <= SMALL_ANSWER) ||
           slice_istarts(type, SLICE("text/event-stream"));
}

static void answer_broken(struct exchange *x, const char *reason)
{
    exchange_fail(x, &failure_protocol, "response head", reason);
}

/* R4: an interim answer never counts as the one that is waited for, so it moves no deadline. */
static void pass_interim(struct exchange *x, struct message *m)
{
    bool wanted = m->status != 100 || x->wants_continue;
    if (!wanted || x->websocket || x->interim++ >= INTERIM_MAX)
        return;
    if (translate_from_origin(m) < 0 ||
        x->interim_bytes + m->fields.bytes > (size_t)INTERIM_BYTES_MAX)
        return;
    x->interim_bytes += m->fields.bytes;
    relay_head(&x->relay, RELAY_FAR, m, false);
}

static void pass_head(struct exchange *x, struct message *m, bool end)
{
    if (translate_from_origin(m) < 0) {
        answer_broken(x, "Connection names an end-to-end field");
        return;
    }
    rewrite_response(x->all->o.rewrite, m, x->scheme, x->authority);
    if (m->fields.bytes > FIELDS_SUBMIT_MAX) {
        exchange_fail(x, &failure_head_size, "response head", "too large for the link");
        return;
    }
    x->status = m->status;
    leg_hint(x->relay.near.leg,
             x->websocket || is_interactive(m, end) ? LEG_INTERACTIVE : LEG_BULK);
    relay_head(&x->relay, RELAY_FAR, m, end);
}

/* R8: a 205 has no body; what an origin sends behind one is not read. */
static void pass_answer(struct exchange *x, struct message *m, bool end)
{
    bool cut = m->status == 205 && !end;
    x->state = EXCHANGE_RELAYING;
    relay_touch(&x->relay);
    pass_head(x, m, end || cut);
    if (x->state == EXCHANGE_DEAD)
        return;
    if (cut) {
        origin_discard(x->conn, ORIGIN_CLOSE);
        x->conn = NULL;
        exchange_close(x, ORIGIN_CLOSE);
        return;
    }
    exchange_arm(x);
}

static void open_websocket(struct exchange *x, struct message *m)
{
    relay_touch(&x->relay);
    pass_head(x, m, false);
    if (x->state == EXCHANGE_DEAD)
        return;
    x->state = EXCHANGE_OPEN;
    x->status = 101; /* what the viewer sees */
    leg_upgrade(x->relay.far.leg);
    exchange_forget_request(x);
    exchange_flush_early(x);
    exchange_arm(x);
}

static void answer_upgrade(struct exchange *x, struct message *m, bool end)
{
    const char *reason = NULL;
    switch (upgrade_answer(&x->request, m, &reason)) {
    case UPGRADE_OPEN:
        open_websocket(x, m);
        return;
    case UPGRADE_REFUSED:
        pass_answer(x, m, end);
        return;
    case UPGRADE_BROKEN:
        exchange_fail(x, &failure_upgrade, "upgrade", reason);
        return;
    }
}

void answer_head(struct exchange *x, struct message *m, bool end)
{
    if (m->status < 200 && m->status != 101)
        pass_interim(x, m);
    else if (x->websocket)
        answer_upgrade(x, m, end);
    else if (m->status == 101)
        answer_broken(x, "101 was not asked for");
    else
        pass_answer(x, m, end);
}
