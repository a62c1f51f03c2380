/* SPDX-License-Identifier: MIT */
/* upgrade.c - see upgrade.h.
 *
 * Only a complete and correct handshake opens the stream. A 426 or 200 with raw bytes behind it
 * would smuggle them past everybody who believes that a WebSocket is open. */
#include "h2mux/http/upgrade.h"

int upgrade_request(struct message *m)
{
    char key[WS_KEY_LEN + 1];
    int err = ws_key_new(key);
    if (err < 0)
        return err;
    fields_remove(&m->fields, SLICE("sec-websocket-key"));
    fields_remove(&m->fields, SLICE("sec-websocket-accept"));
    if (!fields_find(&m->fields, SLICE("sec-websocket-version")))
        fields_add(&m->fields, SLICE("sec-websocket-version"), SLICE("13"));
    fields_add_copy(&m->fields, SLICE("sec-websocket-key"), slice_str(key));
    fields_add(&m->fields, SLICE("upgrade"), SLICE("websocket"));
    m->method = SLICE("GET");
    m->protocol = SLICE("");
    m->length = MESSAGE_LENGTH_UNKNOWN;
    return 0;
}

/* Returns the name of an offer. "permessage-deflate; client_max_window_bits" is offered and
 * accepted by its name; a subprotocol is its own name. */
static struct slice offer_name(struct slice offer)
{
    ptrdiff_t semicolon = slice_find(offer, ';');
    return slice_trim(semicolon < 0 ? offer : slice_make(offer.ptr, (size_t)semicolon));
}

static bool offered(const struct fields *request, struct slice field, struct slice name)
{
    for (size_t i = 0; i < request->count; i++) {
        struct slice list = request->v[i].value, token;
        if (!slice_ieq(request->v[i].name, field))
            continue;
        while (slice_next_token(&list, &token))
            if (slice_eq(offer_name(token), name))
                return true;
    }
    return false;
}

/* Returns whether all that the response accepts in @field was offered there. RFC 6455 4.1. */
static bool takes_only_offers(const struct fields *request, const struct fields *answer,
                              struct slice field)
{
    for (size_t i = 0; i < answer->count; i++) {
        struct slice list = answer->v[i].value, token;
        if (!slice_ieq(answer->v[i].name, field))
            continue;
        while (slice_next_token(&list, &token))
            if (!offered(request, field, offer_name(token)))
                return false;
    }
    return true;
}

static const char *what_is_not_offered(const struct fields *request, const struct fields *f)
{
    const struct slice protocol = SLICE("sec-websocket-protocol");
    if (fields_count(f, protocol) > 1 || !takes_only_offers(request, f, protocol))
        return "subprotocol was not offered";
    if (!takes_only_offers(request, f, SLICE("sec-websocket-extensions")))
        return "extension was not offered";
    return NULL;
}

static const char *what_is_wrong(const struct fields *request, const struct fields *f)
{
    char accept[WS_ACCEPT_LEN + 1];
    ws_accept(fields_value(request, SLICE("sec-websocket-key")), accept);
    if (!fields_has_token(f, SLICE("upgrade"), SLICE("websocket")))
        return "101 without Upgrade: websocket";
    if (!fields_has_token(f, SLICE("connection"), SLICE("upgrade")))
        return "101 without Connection: upgrade";
    if (fields_count(f, SLICE("sec-websocket-accept")) != 1 ||
        !slice_eq(fields_value(f, SLICE("sec-websocket-accept")), slice_str(accept)))
        return "wrong Sec-WebSocket-Accept";
    return what_is_not_offered(request, f);
}

enum upgrade_verdict upgrade_judge(const struct message *request, struct message *m,
                                   const char **reason)
{
    if (m->status >= 300)
        return UPGRADE_REFUSED;
    *reason = m->status == 101 ? what_is_wrong(&request->fields, &m->fields)
                               : "answer is neither 101 nor a refusal";
    if (*reason)
        return UPGRADE_BROKEN;
    fields_remove(&m->fields, SLICE("sec-websocket-accept"));
    m->status = 200;
    m->length = MESSAGE_LENGTH_UNKNOWN;
    return UPGRADE_OPEN;
}

/* A 204 and a 205 are answers of a service that does not know WebSockets. */
enum upgrade_verdict upgrade_judge_stream(const struct message *request, struct message *m,
                                          bool end, const char **reason)
{
    if (m->status >= 300)
        return UPGRADE_REFUSED;
    bool opens = m->status != 204 && m->status != 205 && !end;
    *reason = opens ? what_is_not_offered(&request->fields, &m->fields)
                    : "answer neither opens a WebSocket nor refuses it";
    if (*reason)
        return UPGRADE_BROKEN;
    m->status = 200;
    m->length = MESSAGE_LENGTH_UNKNOWN;
    return UPGRADE_OPEN;
}
