/* SPDX-License-Identifier: MIT */
/* refusal.c - see refusal.h. All text comes from the peer: it is cut to size here, and escaped
 * where it is logged. */
#include "client/server/refusal.h"

#include <cjson/cJSON.h>
#include <stdio.h>

static void copy_member(const cJSON *object, const char *name, char *to, size_t cap)
{
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, name));
    snprintf(to, cap, "%s", text ? text : "");
}

static uint64_t retry_after_ms(const struct fields *fields)
{
    uint64_t seconds = 0;
    if (slice_to_u64(fields_value(fields, SLICE("retry-after")), UINT32_MAX, &seconds) < 0)
        return 0;
    return seconds * 1000 < REFUSAL_RETRY_MAX_MS ? seconds * 1000 : REFUSAL_RETRY_MAX_MS;
}

void refusal_from_answer(struct refusal *r, const struct call_answer *a)
{
    struct slice location = fields_value(a->fields, SLICE("location"));
    cJSON *body = cJSON_ParseWithLength(a->body.ptr, a->body.len);
    *r = (struct refusal){.status = a->status, .retry_after_ms = retry_after_ms(a->fields)};
    copy_member(body, "error", r->error, sizeof r->error);
    copy_member(body, "message", r->message, sizeof r->message);
    snprintf(r->location, sizeof r->location, "%.*s", SLICE_FMT(location));
    cJSON_Delete(body);
}

bool refusal_is_final(const struct refusal *r)
{
    return r->status == 403 && strcmp(r->error, "banned") == 0;
}

bool refusal_is_redirect(const struct refusal *r)
{
    return r->status >= 300 && r->status < 400;
}
