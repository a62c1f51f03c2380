/* SPDX-License-Identifier: MIT */
/* admin.c - reads the server's state and makes answers of it; see admin.h. */
#include "src/edge/admin.h"

#include <stdio.h>

#include "h2mux/base/log.h"
#include "src/http/pages.h"
#include "src/names/label.h"
#include "src/names/names_file.h"
#include "src/tunnels/register.h"
#include "src/tunnels/registry.h"
#include "src/tunnels/tunnel.h"
#include "src/worker/certificate.h"

enum { DRAINING_RETRY_S = 2, LANDING_MAX = 4096 };

static const char landing_format[] =
    "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
    "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n"
    "<title>oneport</title>\n" ANSWER_STYLE "</head>\n"
    "<body><main><h1>oneport</h1>\n"
    "<p>What runs on a computer somewhere gets a public address here, as "
    "<b>NAME.%s</b>, over one connection.</p>\n"
    "<p>To share the service on port 3000 of yours:</p>\n"
    "<pre>oneport --host %s 3000</pre>\n"
    "<p>The program <b>oneport</b> is a single file. Whoever runs this server has it, or makes it "
    "of "
    "the server's source: <b>make portable</b> for any Linux, <b>make deb</b> for Debian and "
    "Ubuntu.</p>\n"
    "<p>Everybody who has the address can open what you share.</p></main></body></html>\n";

void admin_landing(struct worker *w, const struct call *call, struct answer *a)
{
    const struct config *c = w->server->config;
    char host[REGISTER_HOST_MAX];
    struct buf page;
    if (c->urls.landing) {
        answer_redirect(a, 302, slice_str(c->urls.landing));
        return;
    }
    register_host(w->server, call, host);
    answer_init(a, 200);
    buf_init(&page, LANDING_MAX);
    if (buf_printf(&page, landing_format, c->domain, host) == 0)
        answer_html(a, buf_slice(&page), false);
    buf_release(&page);
    pages_replace(w->server->pages, a);
}

/* Names a counter of struct worker_stats that the status shows. */
struct sum {
    const char *name;
    size_t offset;
};

static uint64_t sum_of(const struct server *s, size_t offset)
{
    uint64_t total = 0;
    for (unsigned i = 0; i < s->n_workers; i++)
        total += stat_get(
            (const struct counter *)(const void *)((const char *)&s->workers[i]->stats + offset));
    return total;
}

static void add_certificates(cJSON *json, const struct server *s)
{
    struct certificate_sum sum = certificate_sum(s);
    if (sum.count == 0)
        return;
    cJSON_AddNumberToObject(json, "certificates", (double)sum.count);
    cJSON_AddNumberToObject(json, "certificate_days_left", (double)sum.days_left);
}

void admin_status(struct worker *w, struct answer *a)
{
    static const struct sum sums[] = {
        {"links", offsetof(struct worker_stats, links_open)},
        {"requests", offsetof(struct worker_stats, requests)},
        {"websockets", offsetof(struct worker_stats, websockets)},
        {"handoffs", offsetof(struct worker_stats, handoffs)},
        {"misdirected", offsetof(struct worker_stats, misdirected)},
        {"old_sockets", offsetof(struct worker_stats, old_sockets_open)},
        {"old_sockets_lost", offsetof(struct worker_stats, old_sockets_lost)},
        {"streams_evicted", offsetof(struct worker_stats, streams_evicted)},
    };
    const struct server *s = w->server;
    struct directory_counts c = directory_counts(s->directory);
    uint64_t uptime_s = (loop_now_us(w->loop) - s->started_us) / 1000000;
    cJSON *json = cJSON_CreateObject();
    answer_init(a, 200);
    cJSON_AddNumberToObject(json, "tunnels", (double)c.names);
    cJSON_AddNumberToObject(json, "live", (double)c.live);
    cJSON_AddNumberToObject(json, "reserved",
                            (double)reserve_count(directory_reserve(s->directory)));
    for (size_t i = 0; i < sizeof sums / sizeof *sums; i++)
        cJSON_AddNumberToObject(json, sums[i].name, (double)sum_of(s, sums[i].offset));
    cJSON_AddNumberToObject(json, "buffered_octets", (double)budget_buffered(&s->budget));
    cJSON_AddNumberToObject(json, "memory_octets", (double)budget_used(&s->budget));
    cJSON_AddNumberToObject(json, "memory_budget", (double)s->budget.limit);
    cJSON_AddBoolToObject(json, "memory_short", budget_alarm(&s->budget) != BUDGET_CALM);
    cJSON_AddBoolToObject(json, "state_ok", names_file_is_ok(s->names_file));
    cJSON_AddNumberToObject(json, "log_dropped", (double)log_dropped());
    add_certificates(json, s);
    cJSON_AddNumberToObject(json, "workers", s->n_workers);
    cJSON_AddNumberToObject(json, "uptime_s", (double)uptime_s);
    cJSON_AddStringToObject(json, "version", ONEPORT_VERSION);
    answer_json(a, json);
}

/* Folds @name into @folded. Returns an empty slice when it is too long for a name. */
static struct slice fold(struct slice name, char folded[static NAME_MAX_LEN])
{
    if (name.len > NAME_MAX_LEN)
        return SLICE("");
    memcpy(folded, name.ptr, name.len);
    ascii_lower(folded, name.len);
    return slice_make(folded, name.len);
}

static bool is_reserved(const struct directory *d, struct slice name)
{
    uint8_t ignored[OWNER_LEN];
    return reserve_until(directory_reserve(d), name, ignored) > 0;
}

static void answer_reserved(struct answer *a, struct slice name)
{
    cJSON *json = cJSON_CreateObject();
    char text[NAME_MAX_LEN + 1];
    snprintf(text, sizeof text, "%.*s", SLICE_FMT(name));
    answer_init(a, 200);
    cJSON_AddNumberToObject(json, "connected_sockets", 0);
    cJSON_AddStringToObject(json, "name", text);
    cJSON_AddStringToObject(json, "state", "reserved");
    cJSON_AddNumberToObject(json, "waiting", 0);
    cJSON_AddNumberToObject(json, "exchanges", 0);
    answer_json(a, json);
}

/* Returns the number of links, or of sockets of an old client. */
static size_t count_sockets(const struct tunnel *t)
{
    size_t n = 0;
    LIST_FOREACH (node, &t->backends)
        n += CONTAINER_OF(node, struct backend, in_tunnel)->sockets;
    return n > 0 ? n : t->n_links;
}

void admin_tunnel_status(struct worker *w, struct slice asked, struct answer *a)
{
    char folded[NAME_MAX_LEN];
    struct slice name = fold(asked, folded);
    const struct tunnel *t = registry_find(w->registry, name);
    if (!t && is_reserved(w->server->directory, name)) {
        answer_reserved(a, name);
        return;
    }
    if (!t) {
        answer_refusal(a, 404, "not_found", "There is no tunnel of this name.", 0);
        return;
    }
    cJSON *json = cJSON_CreateObject();
    answer_init(a, 200);
    cJSON_AddNumberToObject(json, "connected_sockets", (double)count_sockets(t));
    cJSON_AddStringToObject(json, "name", t->name);
    cJSON_AddStringToObject(json, "state", tunnel_state_name(t->state));
    cJSON_AddNumberToObject(json, "waiting", (double)t->queue.n);
    cJSON_AddNumberToObject(json, "exchanges", (double)t->exchanges);
    answer_json(a, json);
}

void admin_health(struct worker *w, struct answer *a)
{
    cJSON *json = cJSON_CreateObject();
    bool draining = w->server->draining;
    answer_init(a, draining ? 503 : 200);
    if (draining)
        fields_add_printf(&a->head.fields, SLICE("Retry-After"), "%d", DRAINING_RETRY_S);
    cJSON_AddStringToObject(json, "status", draining ? "draining" : "ok");
    answer_json(a, json);
}
