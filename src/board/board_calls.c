/* SPDX-License-Identifier: MIT */
/* board_calls.c - the calls of the board: what each shows or changes. What concerns a tunnel is
 * done on every worker, since only the one that has the tunnel finds something to do. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "h2mux/base/clock.h"
#include "h2mux/base/err.h"
#include "h2mux/base/log.h"
#include "h2mux/base/opt.h"
#include "src/board/board_int.h"
#include "src/board/metrics.h"
#include "src/board/page.h"
#include "src/board/rows.h"
#include "src/board/shut_out.h"

enum { BAR_MS = 600000 /* how long a call shuts out that does not say it */, MS = 1000 };

#define VIEWERS "/viewers"

/* ---- answers */

static void answer_text(struct board_conn *c, struct slice type, struct slice body)
{
    struct answer a;
    answer_init(&a, 200);
    answer_file(&a, type, body);
    board_conn_answer(c, &a);
}

static void answer_object(struct board_conn *c, cJSON *json)
{
    struct answer a;
    answer_init(&a, 200);
    answer_json(&a, json);
    board_conn_answer(c, &a);
}

/* Answers with @rows, which it frees, under @name. */
static void answer_rows(struct board_conn *c, const char *name, cJSON *rows, bool more)
{
    cJSON *json = cJSON_CreateObject();
    cJSON_AddItemToObject(json, name, rows);
    cJSON_AddBoolToObject(json, "more", more);
    answer_object(c, json);
}

/* ---- tunnels and viewers */

static void fill_tunnels(struct worker *w, const void *ask, cJSON *part)
{
    rows_tunnels(w, ask, part);
}

static void fill_viewers(struct worker *w, const void *ask, cJSON *part)
{
    rows_viewers(w, ask, part);
}

static void show_tunnels(void *user, cJSON *all)
{
    struct board_conn *c = user;
    c->roll = NULL;
    bool more = rows_cut(all);
    answer_rows(c, "tunnels", all, more);
}

static void show_viewers(void *user, cJSON *all)
{
    struct board_conn *c = user;
    c->roll = NULL;
    answer_rows(c, "viewers", all, cJSON_GetArraySize(all) == ROWS_MAX);
}

static const struct roll_ops tunnels_roll = {fill_tunnels, show_tunnels};
static const struct roll_ops viewers_roll = {fill_viewers, show_viewers};

/* Copies a name of a path, folded. Returns false when it is none. */
static bool take_name(struct slice from, char to[static NAME_MAX_LEN + 1])
{
    if (from.len > NAME_MAX_LEN)
        return false;
    memcpy(to, from.ptr, from.len);
    to[from.len] = '\0';
    ascii_lower(to, from.len);
    return label_valid(slice_str(to));
}

/* Takes "?after=NAME" into @ask. Returns false for another query. */
static bool take_after(struct slice query, struct rows_ask *ask)
{
    struct slice key = SLICE("?after=");
    return query.len == 0 ||
           (slice_starts(query, key) && take_name(slice_skip(query, key.len), ask->after));
}

static void call_tunnels(struct board_conn *c, struct slice rest)
{
    struct rows_ask ask = {.after = ""};
    if (take_after(rest, &ask))
        c->roll = roll_call(c->board->worker, &tunnels_roll, &ask, sizeof ask, c);
    else
        board_conn_refuse(c, 400, "bad_request", "Ask for /api/tunnels?after=NAME.");
}

static void call_viewers(struct board_conn *c, struct slice rest)
{
    struct rows_ask ask = {.after = ""};
    rest.len -= sizeof VIEWERS - 1;
    if (take_name(rest, ask.name))
        c->roll = roll_call(c->board->worker, &viewers_roll, &ask, sizeof ask, c);
    else
        board_conn_refuse(c, 400, "bad_request", "This is no name of a tunnel.");
}

/* ---- metrics */

static void tell_metrics(struct board_conn *c, const cJSON *tunnels)
{
    struct worker *w = c->board->worker;
    struct buf text;
    buf_init(&text, METRICS_MAX);
    if (metrics_write(w->server, loop_now_us(w->loop), tunnels, &text) == 0)
        answer_text(c, SLICE(METRICS_TYPE), buf_slice(&text));
    else
        board_conn_refuse(c, 500, "too_large", "The metrics are too long.");
    buf_release(&text);
}

static void tell_metrics_of_tunnels(void *user, cJSON *all)
{
    struct board_conn *c = user;
    c->roll = NULL;
    (void)rows_cut(all);
    tell_metrics(c, all);
    cJSON_Delete(all);
}

static const struct roll_ops metrics_roll = {fill_tunnels, tell_metrics_of_tunnels};

/* Names are labels only on request: a scraper keeps a series for each that it ever saw. */
static void call_metrics(struct board_conn *c, struct slice rest)
{
    struct rows_ask ask = {.after = ""};
    if (slice_eq(rest, SLICE("?tunnels=1")))
        c->roll = roll_call(c->board->worker, &metrics_roll, &ask, sizeof ask, c);
    else
        tell_metrics(c, NULL);
}

/* ---- shutting out */

static const char *member(const cJSON *json, const char *name)
{
    return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(json, name));
}

/* Reads "for" of a call, or takes the default. Returns false when it is no time. */
static bool take_time(const cJSON *json, uint64_t *ms)
{
    const char *text = member(json, "for");
    *ms = BAR_MS;
    if (!cJSON_GetObjectItemCaseSensitive(json, "for"))
        return true;
    return text && opt_parse_msec(text, ms) == 0 && *ms > 0;
}

/* Reads a ban of "name", "network" or both. Returns a sentence when it is none. */
static const char *take_ban(const cJSON *json, struct ban *out)
{
    const char *name = member(json, "name"), *network = member(json, "network");
    *out = (struct ban){.of_network = network};
    if (!name && !network)
        return "Say \"name\", \"network\", or both.";
    if (name && !take_name(slice_str(name), out->name))
        return "\"name\" is no name of a tunnel.";
    int err = network ? bans_network_parse(slice_str(network), &out->network) : 0;
    if (err == ERR_LIMIT)
        return "A network of IPv6 has at most 64 bits: households have a /64.";
    return err < 0 ? "\"network\" is an address, or one like 192.0.2.0/24." : NULL;
}

static void show_ended(void *user, cJSON *all)
{
    struct board_conn *c = user;
    const cJSON *part;
    double ended = 0;
    c->roll = NULL;
    cJSON_ArrayForEach(part, all) ended += cJSON_GetNumberValue(part);
    cJSON_Delete(all);
    cJSON *json = cJSON_CreateObject();
    cJSON_AddNumberToObject(json, "ended", ended);
    answer_object(c, json);
}

static void fill_ended(struct worker *w, const void *ban, cJSON *part)
{
    cJSON_AddItemToArray(part, cJSON_CreateNumber((double)shut_out(w, ban)));
}

static const struct roll_ops ban_roll = {fill_ended, show_ended};

static void log_ban(const char *event, const struct ban *ban, uint64_t ms)
{
    char network[BANS_NETWORK_TEXT] = "-";
    if (ban->of_network)
        bans_network_text(&ban->network, network);
    LOG(INFO, event, LOG_STR("name", ban->name[0] ? ban->name : "-"), LOG_STR("network", network),
        LOG_U("seconds", ms / MS));
}

/* Shuts out, and ends what is open. The ban comes first, so that nothing new begins meanwhile. */
static void ban(struct board_conn *c, const cJSON *json)
{
    struct worker *w = c->board->worker;
    struct ban wanted;
    uint64_t ms;
    const char *why = take_ban(json, &wanted);
    if (!why && !take_time(json, &ms))
        why = "\"for\" is a time, like 10m or 2h.";
    if (why) {
        board_conn_refuse(c, 400, "bad_request", why);
        return;
    }
    uint64_t now_us = loop_now_us(w->loop);
    wanted.until_us = now_us + ms * MS;
    if (wanted.until_us / MS < ms || bans_add(w->server->bans, &wanted, now_us) < 0) {
        board_conn_refuse(c, 409, "too_many", "There are as many bans as there can be.");
        return;
    }
    log_ban("banned", &wanted, ms);
    c->roll = roll_call(w, &ban_roll, &wanted, sizeof wanted, c);
}

static void unban(struct board_conn *c, const cJSON *json)
{
    struct ban gone;
    const char *why = take_ban(json, &gone);
    if (why) {
        board_conn_refuse(c, 400, "bad_request", why);
    } else if (!bans_remove(c->board->worker->server->bans, &gone)) {
        board_conn_refuse(c, 404, "not_found", "There is no such ban.");
    } else {
        log_ban("unbanned", &gone, 0);
        answer_object(c, cJSON_CreateObject());
    }
}

/* Stops the server as a SIGTERM does. The answer leaves while it drains. */
static void drain(struct board_conn *c, const cJSON *json)
{
    if (c->board->worker->server->draining) {
        board_conn_refuse(c, 409, "draining", "The server is stopping already.");
        return;
    }
    answer_object(c, cJSON_CreateObject());
    kill(getpid(), SIGTERM);
}

/* Runs a call that changes something with its JSON. */
static void with_json(struct board_conn *c, void (*call)(struct board_conn *c, const cJSON *json))
{
    struct slice text = buf_slice(&c->body);
    cJSON *json = cJSON_ParseWithLength(text.ptr, text.len);
    if (cJSON_IsObject(json))
        call(c, json);
    else
        board_conn_refuse(c, 400, "bad_request", "The body is a JSON object.");
    cJSON_Delete(json);
}

static void call_ban(struct board_conn *c, struct slice rest)
{
    with_json(c, ban);
}

static void call_unban(struct board_conn *c, struct slice rest)
{
    with_json(c, unban);
}

static void call_drain(struct board_conn *c, struct slice rest)
{
    with_json(c, drain);
}

static void call_bans(struct board_conn *c, struct slice rest)
{
    struct worker *w = c->board->worker;
    uint64_t now_us = loop_now_us(w->loop);
    struct ban *all = xcalloc(BANS_MAX, sizeof *all);
    size_t n = bans_list(w->server->bans, all, BANS_MAX, now_us);
    cJSON *rows = cJSON_CreateArray();
    for (size_t i = 0; i < n; i++) {
        char network[BANS_NETWORK_TEXT], until[CLOCK_ISO_MAX];
        cJSON *row = cJSON_CreateObject();
        if (all[i].name[0])
            cJSON_AddStringToObject(row, "name", all[i].name);
        if (all[i].of_network) {
            bans_network_text(&all[i].network, network);
            cJSON_AddStringToObject(row, "network", network);
        }
        clock_iso(clock_wall_s() + (int64_t)((all[i].until_us - now_us) / MS / MS) + 1, until);
        cJSON_AddStringToObject(row, "until", until);
        cJSON_AddItemToArray(rows, row);
    }
    free(all);
    answer_rows(c, "bans", rows, false);
}

/* ---- the page */

static void call_page(struct board_conn *c, struct slice rest)
{
    struct answer a;
    page_answer(&a);
    board_conn_answer(c, &a);
}

static void call_script(struct board_conn *c, struct slice rest)
{
    answer_text(c, SLICE("text/javascript"), page_script());
}

/* ---- the table */

static const struct board_call calls[] = {
    {"GET", "/", true, call_page},
    {"GET", "/board.js", true, call_script},
    {"GET", "/api/tunnels", false, call_tunnels},
    {"GET", "/api/tunnels/*/viewers", false, call_viewers},
    {"GET", "/api/bans", false, call_bans},
    {"POST", "/api/ban", false, call_ban},
    {"POST", "/api/unban", false, call_unban},
    {"POST", "/api/drain", false, call_drain},
    {"GET", "/metrics", false, call_metrics},
};

/* Returns whether @path is the one of @call, before a query, and sets @rest to what is open. */
static bool matches(const struct board_call *call, struct slice path, struct slice *rest)
{
    struct slice want = slice_str(call->path);
    ptrdiff_t star = slice_find(want, '*');
    if (star < 0) {
        *rest = slice_skip(path, want.len);
        return slice_starts(path, want) && (rest->len == 0 || rest->ptr[0] == '?');
    }
    *rest = slice_skip(path, (size_t)star);
    return slice_starts(path, slice_make(want.ptr, (size_t)star)) &&
           slice_ends(path, SLICE(VIEWERS)) && rest->len > sizeof VIEWERS - 1;
}

const struct board_call *board_call_find(const struct message *m, struct slice *rest,
                                         const char **allow)
{
    *allow = NULL;
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        if (!matches(&calls[i], m->path, rest))
            continue;
        if (slice_eq(m->method, slice_str(calls[i].method)))
            return &calls[i];
        *allow = calls[i].method;
    }
    return NULL;
}
