/* SPDX-License-Identifier: MIT */
/* raw_answer.c - passes on what an old client's service answers; see raw.h. What client/origin does
 * for a link is done here: a WebSocket is opened by the right handshake alone, and fields that are
 * for one connection stay. */
#include "h2mux/http/field_name.h"
#include "h2mux/http/upgrade.h"
#include "src/tunnels/raw_int.h"

enum { INTERIM_MAX = 8 /* interim heads for one answer */ };

static bool is_ours_or_dead(const struct field *f, unsigned rules, void *user)
{
    return (rules & FIELD_OURS) || slice_ieq(f->name, SLICE("alt-svc"));
}

/* Ends the exchange with a failure of the service's. */
static void fail(struct raw_socket *s, const char *reason)
{
    raw_socket_lose(s, ERR_PROTOCOL, true, reason);
    raw_socket_cut(s);
}

static void pass_head(struct raw_socket *s, struct message *m, bool end)
{
    s->leg.events->on_head(s->leg.exchange, &s->leg, m, end);
}

/* Opens the WebSocket: the connection forgets its head, so a copy goes on. */
static void open_websocket(struct raw_socket *s, const struct message *m)
{
    struct message kept = *m;
    fields_init(&kept.fields);
    fields_copy(&kept.fields, &m->fields);
    s->open = true;
    ws_frames_init(&s->frames);
    leg_upgrade(h1_conn_leg(s->h1));
    pass_head(s, &kept, false);
    fields_deinit(&kept.fields);
}

/* Passes on what answers the request for a WebSocket. Only the right handshake opens one; a head
 * that ends at once makes of any other success the failure http_upgrade_failed. */
static void answer_upgrade(struct raw_socket *s, struct message *m, bool end)
{
    const char *reason = NULL;
    enum upgrade_verdict verdict = upgrade_judge(&s->asked, m, &reason);
    if (fields_strip(&m->fields, is_ours_or_dead, NULL) < 0) {
        fail(s, "Connection names an end-to-end field");
        return;
    }
    switch (verdict) {
    case UPGRADE_OPEN:
        open_websocket(s, m);
        break;
    case UPGRADE_REFUSED:
        pass_head(s, m, end);
        break;
    case UPGRADE_BROKEN:
        s->spent = true;
        m->status = 200;
        m->length = MESSAGE_LENGTH_UNKNOWN;
        pass_head(s, m, true);
        break;
    }
}

static void answer(struct raw_socket *s, struct message *m, bool end)
{
    if (m->status == 101 || fields_strip(&m->fields, is_ours_or_dead, NULL) < 0) {
        fail(s, "101 unasked, or Connection names an end-to-end field");
        return;
    }
    if (m->status == 204)
        m->length = MESSAGE_LENGTH_UNKNOWN;
    if (m->status == 205) { /* R8 */
        s->spent |= !end;
        m->length = 0;
        end = true;
    }
    pass_head(s, m, end);
}

static void interim(struct raw_socket *s, struct message *m)
{
    if (s->websocket || s->interim++ >= INTERIM_MAX ||
        fields_strip(&m->fields, is_ours_or_dead, NULL) < 0)
        return;
    m->length = MESSAGE_LENGTH_UNKNOWN;
    pass_head(s, m, false);
}

static void on_head(void *user, struct leg *leg, struct message *m, bool end)
{
    struct raw_socket *s = user;
    s->begun = true;
    if (!s->left)
        timer_stop(&s->timer);
    s->spent |= m->status >= 200 && !h1_conn_keeps_alive(s->h1);
    if (!s->leg.events)
        return;
    if (m->status < 200 && m->status != 101)
        interim(s, m);
    else if (s->websocket)
        answer_upgrade(s, m, end);
    else
        answer(s, m, end);
}

static void on_body(void *user, struct leg *leg, struct slice data, bool end)
{
    struct raw_socket *s = user;
    s->gone |= end && (s->open || h1_conn_rx_until_close(s->h1));
    if (!s->leg.events) {
        leg->ops->credit(leg, data.len);
        return;
    }
    if (s->open)
        ws_frames_feed(&s->frames, data);
    bool closed = s->open && s->frames.close_seen && s->frames.header_len == 0;
    s->leg.events->on_body(s->leg.exchange, &s->leg, data, end || closed);
}

static void on_trailers(void *user, struct leg *leg, struct fields *t)
{
    struct raw_socket *s = user;
    if (s->leg.events)
        s->leg.events->on_trailers(s->leg.exchange, &s->leg, t);
}

static void on_sent(void *user, struct leg *leg, size_t bytes)
{
    struct raw_socket *s = user;
    if (s->leg.events)
        s->leg.events->on_sent(s->leg.exchange, &s->leg, bytes);
}

/* The socket has failed; on_error follows, unless the exchange's end has closed it. */
static void on_reset(void *user, struct leg *leg, const struct leg_fault *why)
{
    struct raw_socket *s = user;
    if (s->knocks > 0 && !s->begun && !why->begun && raw_socket_is_loss(why->err)) {
        raw_heal_ended(s->raw); /* and so has it, most likely, behind those that have rested */
        raw_heal_doubt(s->raw, RAW_REST_US);
    }
    raw_socket_lose(s, raw_socket_is_loss(why->err) ? ERR_LINK_LOST : why->err, why->begun,
                    why->reason);
}

static char *on_place(void *user, struct leg *leg, size_t bytes)
{
    struct raw_socket *s = user;
    return s->leg.events && s->leg.events->on_place
               ? s->leg.events->on_place(s->leg.exchange, &s->leg, bytes)
               : NULL;
}

const struct leg_events raw_inner_events = {
    .on_head = on_head,
    .on_body = on_body,
    .on_trailers = on_trailers,
    .on_sent = on_sent,
    .on_reset = on_reset,
    .on_place = on_place,
};
