/* SPDX-License-Identifier: MIT */
/* policy.c - see policy.h. Which fields may be edited is the server's business. */
#include "client/policy.h"

#include <stdlib.h>

#include <cjson/cJSON.h>

#include "h2mux/base/alloc.h"
#include "h2mux/base/inet.h"
#include "h2mux/http/fields.h"

enum { REQUESTS = 1, RESPONSES = 2 };

/* An edit of --header-add or --header-remove. */
struct edit {
    unsigned of; /* REQUESTS, RESPONSES, or both */
    struct slice name, value;
};

int policy_check_network(const char *value)
{
    struct slice text = slice_str(value), host = text;
    ptrdiff_t slash = slice_find(text, '/');
    union inet a;
    uint64_t bits = 0;
    if (slash >= 0)
        host.len = (size_t)slash;
    bool v4 = inet_parse(AF_INET, host, &a);
    if (!v4 && !inet_parse(AF_INET6, host, &a))
        return ERR_SYNTAX;
    return slash < 0 ? 0 : slice_to_u64(slice_skip(text, host.len + 1), v4 ? 32 : 128, &bits);
}

static bool take_word(struct slice *text, struct slice word)
{
    if (!slice_starts(*text, word) || text->len == word.len || text->ptr[word.len] != ' ')
        return false;
    *text = slice_trim(slice_skip(*text, word.len));
    return true;
}

static int parse(const char *value, bool adds, struct edit *out)
{
    struct slice text = slice_trim(slice_str(value));
    out->of = take_word(&text, SLICE("request"))    ? REQUESTS
              : take_word(&text, SLICE("response")) ? RESPONSES
                                                    : REQUESTS | RESPONSES;
    ptrdiff_t colon = adds ? slice_find(text, ':') : (ptrdiff_t)text.len;
    if (colon <= 0)
        return ERR_SYNTAX;
    out->name = slice_make(text.ptr, (size_t)colon);
    out->value = adds ? slice_trim(slice_skip(text, (size_t)colon + 1)) : SLICE("");
    for (size_t i = 0; i < out->value.len; i++)
        if (out->value.ptr[i] < ' ' || out->value.ptr[i] > '~')
            return ERR_SYNTAX;
    return field_name_valid(out->name) ? 0 : ERR_SYNTAX;
}

int policy_check_add(const char *value)
{
    struct edit ignored;
    return parse(value, true, &ignored);
}

int policy_check_remove(const char *value)
{
    struct edit ignored;
    return parse(value, false, &ignored);
}

int policy_check_path(const char *value)
{
    static const char fit[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_~./";
    bool plain = !strstr(value, "//") && !strstr(value, "/.");
    return value[0] == '/' && strspn(value, fit) == strlen(value) && plain ? 0 : ERR_SYNTAX;
}

/* ---- writing */

static cJSON *new_text(struct slice text)
{
    char *copy = slice_dup(text);
    cJSON *item = cJSON_CreateString(copy);
    free(copy);
    return item;
}

static void write_texts(cJSON *json, const char *name, const struct opt_list *list)
{
    cJSON *array = list->count > 0 ? cJSON_AddArrayToObject(json, name) : NULL;
    for (size_t i = 0; i < list->count; i++)
        cJSON_AddItemToArray(array, cJSON_CreateString(list->item[i]));
}

static void write_edits(cJSON *json, const char *name, const struct opt_list *list, unsigned of,
                        bool adds)
{
    cJSON *array = cJSON_CreateArray();
    for (size_t i = 0; i < list->count; i++) {
        struct edit e;
        if (parse(list->item[i], adds, &e) < 0 || (e.of & of) == 0)
            continue;
        cJSON *item = adds ? cJSON_CreateArray() : new_text(e.name);
        if (adds) {
            cJSON_AddItemToArray(item, new_text(e.name));
            cJSON_AddItemToArray(item, new_text(e.value));
        }
        cJSON_AddItemToArray(array, item);
    }
    if (cJSON_GetArraySize(array) > 0)
        cJSON_AddItemToObject(json, name, array);
    else
        cJSON_Delete(array);
}

static void write_users(cJSON *json, const struct users *users)
{
    cJSON *array = users->n > 0 ? cJSON_AddArrayToObject(json, "users") : NULL;
    for (size_t i = 0; i < users->n; i++) {
        cJSON *one = cJSON_CreateArray();
        cJSON_AddItemToArray(one, cJSON_CreateString(users->v[i].name));
        cJSON_AddItemToArray(one, cJSON_CreateString(users->v[i].hash));
        cJSON_AddItemToArray(array, one);
    }
}

static void write_number(cJSON *json, const char *name, double value)
{
    if (value > 0)
        cJSON_AddNumberToObject(json, name, value);
}

static void write_keys(cJSON *json, const struct share_keys *keys)
{
    cJSON *array = keys->n > 0 ? cJSON_AddArrayToObject(json, "keys") : NULL;
    for (size_t i = 0; i < keys->n; i++) {
        cJSON *one = cJSON_CreateArray();
        cJSON_AddItemToArray(one, cJSON_CreateString(keys->v[i].name));
        cJSON_AddItemToArray(one, cJSON_CreateString(keys->v[i].hash));
        cJSON_AddItemToArray(one, cJSON_CreateNumber((double)keys->v[i].until_s));
        cJSON_AddItemToArray(one, cJSON_CreateNumber((double)keys->v[i].uses));
        cJSON_AddItemToArray(array, one);
    }
}

char *policy_write(const struct policy_options *o, const struct users *users,
                   const struct share_keys *keys, int64_t until_s)
{
    char *text = NULL;
    cJSON *json = cJSON_CreateObject();
    write_texts(json, "allow", &o->allow);
    if (o->cors)
        cJSON_AddTrueToObject(json, "cors");
    write_texts(json, "deny", &o->deny);
    write_keys(json, keys);
    write_texts(json, "public", &o->public);
    write_number(json, "rate", (double)o->rate);
    write_edits(json, "request_add", &o->header_add, REQUESTS, true);
    write_edits(json, "request_remove", &o->header_remove, REQUESTS, false);
    write_edits(json, "response_add", &o->header_add, RESPONSES, true);
    write_edits(json, "response_remove", &o->header_remove, RESPONSES, false);
    write_number(json, "until", (double)until_s);
    write_users(json, users);
    write_number(json, "viewers", (double)o->viewers);
    if (json->child) {
        char *printed = cJSON_PrintUnformatted(json);
        text = xstrdup(printed);
        cJSON_free(printed);
    }
    cJSON_Delete(json);
    return text;
}
