/* SPDX-License-Identifier: MIT */
/* metrics.c - see metrics.h. Names and units follow the conventions of Prometheus: a counter ends
 * with _total, times are in seconds, sizes in bytes. */
#include "src/board/metrics.h"

#include "h2mux/base/log.h"
#include "src/names/directory.h"
#include "src/names/names_file.h"
#include "src/names/reserve.h"
#include "src/worker/certificate.h"
#include "src/worker/commons.h"
#include "src/worker/worker.h"

#define US_A_SECOND 1e6

struct writer {
    const struct server *server;
    struct buf *out;
    int err;
};

static void begin(struct writer *w, const char *name, const char *type, const char *help)
{
    if (w->err == 0)
        w->err = buf_printf(w->out, "# HELP oneport_%s %s\n# TYPE oneport_%s %s\n", name, help,
                            name, type);
}

/* Writes a value. @label is the text between the braces, or "". */
static void value(struct writer *w, const char *name, const char *label, double v)
{
    if (w->err == 0)
        w->err = buf_printf(w->out, label[0] ? "oneport_%s{%s} %.15g\n" : "oneport_%s%s %.15g\n",
                            name, label, v);
}

static void gauge(struct writer *w, const char *name, const char *help, double v)
{
    begin(w, name, "gauge", help);
    value(w, name, "", v);
}

static uint64_t sum(const struct writer *w, size_t offset)
{
    uint64_t total = 0;
    for (unsigned i = 0; i < w->server->n_workers; i++) {
        const char *stats = (const char *)&w->server->workers[i]->stats;
        total += stat_get((const struct counter *)(const void *)(stats + offset));
    }
    return total;
}

#define STAT(member) offsetof(struct worker_stats, member)

static void write_counters(struct writer *w)
{
    static const struct {
        const char *name, *type, *help;
        size_t offset;
    } rows[] = {
        {"requests_total", "counter", "Requests for tunnels.", STAT(requests)},
        {"websockets_total", "counter", "WebSockets that were asked for.", STAT(websockets)},
        {"bad_requests_total", "counter", "Malformed requests.", STAT(bad_requests)},
        {"register_calls_total", "counter", "Register calls.", STAT(register_calls)},
        {"handoffs_total", "counter", "Connections that moved to another worker.", STAT(handoffs)},
        {"streams_evicted_total", "counter", "Streams given up because memory was short.",
         STAT(streams_evicted)},
        {"received_bytes_total", "counter", "Bytes of bodies from viewers.", STAT(rx_bytes)},
        {"sent_bytes_total", "counter", "Bytes of bodies to viewers.", STAT(tx_bytes)},
        {"viewer_connections", "gauge", "Open connections of viewers.", STAT(edges_open)},
        {"links", "gauge", "Open links of clients.", STAT(links_open)},
        {"requests_open", "gauge", "Requests under way, without WebSockets.", STAT(exchanges_open)},
        {"websockets_open", "gauge", "Open WebSockets.", STAT(websockets_open)},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        begin(w, rows[i].name, rows[i].type, rows[i].help);
        value(w, rows[i].name, "", (double)sum(w, rows[i].offset));
    }
}

static void write_outcomes(struct writer *w)
{
    static const char *const labels[STATS_OUTCOMES] = {
        "status=\"none\"", "status=\"1xx\"", "status=\"2xx\"",
        "status=\"3xx\"",  "status=\"4xx\"", "status=\"5xx\"",
    };
    begin(w, "responses_total", "counter", "Requests that are over, by what the viewer was told.");
    for (size_t i = 0; i < STATS_OUTCOMES; i++)
        value(w, "responses_total", labels[i],
              (double)sum(w, STAT(outcomes) + i * sizeof(struct counter)));
}

static void write_histogram(struct writer *w, const char *name, const char *help, size_t offset)
{
    char full[64], label[32];
    double so_far = 0;
    begin(w, name, "histogram", help);
    snprintf(full, sizeof full, "%s_bucket", name);
    for (size_t i = 0; i <= HISTOGRAM_CLASSES; i++) {
        so_far +=
            (double)sum(w, offset + offsetof(struct histogram, class) + i * sizeof(struct counter));
        if (i < HISTOGRAM_CLASSES)
            snprintf(label, sizeof label, "le=\"%g\"", (double)histogram_limit_us[i] / US_A_SECOND);
        else
            snprintf(label, sizeof label, "le=\"+Inf\"");
        value(w, full, label, so_far);
    }
    snprintf(full, sizeof full, "%s_sum", name);
    value(w, full, "", (double)sum(w, offset + offsetof(struct histogram, sum_us)) / US_A_SECOND);
    snprintf(full, sizeof full, "%s_count", name);
    value(w, full, "", so_far);
}

static void write_pools(struct writer *w)
{
    const struct server *s = w->server;
    const struct {
        const char *label;
        struct commons *pool;
    } pools[] = {
        {"pool=\"handshakes\"", s->handshakes},
        {"pool=\"names\"", s->names},
        {"pool=\"holds\"", s->holds},
        {"pool=\"descriptors\"", s->descriptors},
        {"pool=\"door\"", s->door},
        {"pool=\"old_clients\"", s->leaps},
    };
    begin(w, "pool_taken", "gauge", "Places of a pool that are taken.");
    for (size_t i = 0; i < sizeof pools / sizeof *pools; i++)
        if (pools[i].pool)
            value(w, "pool_taken", pools[i].label, (double)commons_count(pools[i].pool));
}

static void write_names(struct writer *w)
{
    const struct server *s = w->server;
    struct directory_counts c = directory_counts(s->directory);
    gauge(w, "tunnels", "Names that are held.", (double)c.names);
    gauge(w, "tunnels_live", "Names with a link.", (double)c.live);
    gauge(w, "names_reserved", "Names that are reserved for an owner who is away.",
          (double)reserve_count(directory_reserve(s->directory)));
    gauge(w, "state_ok", "1 while the names file can be written.", names_file_is_ok(s->names_file));
}

static void write_process(struct writer *w, uint64_t now_us)
{
    const struct server *s = w->server;
    begin(w, "build_info", "gauge", "1, with the version of the program.");
    value(w, "build_info", "version=\"" ONEPORT_VERSION "\"", 1);
    gauge(w, "uptime_seconds", "Seconds since the start.",
          (double)(now_us - s->started_us) / US_A_SECOND);
    gauge(w, "workers", "Threads that serve.", s->n_workers);
    gauge(w, "memory_bytes", "Bytes that count in the memory budget.",
          (double)budget_used(&s->budget));
    gauge(w, "memory_buffered_bytes", "Bytes of bodies under way.",
          (double)budget_buffered(&s->budget));
    gauge(w, "memory_budget_bytes", "The memory budget.", (double)s->budget.limit);
    gauge(w, "memory_short", "1 while memory is short.", budget_alarm(&s->budget) != BUDGET_CALM);
    begin(w, "log_dropped_total", "counter", "Lines of the log that nobody could take.");
    value(w, "log_dropped_total", "", (double)log_dropped());
    struct certificate_sum certificates = certificate_sum(s);
    if (certificates.count > 0)
        gauge(w, "certificate_days_left", "Days until the first certificate ends.",
              (double)certificates.days_left);
}

/* ---- tunnels by their names, which need no escapes */

static void write_of_tunnels(struct writer *w, const cJSON *tunnels)
{
    static const struct {
        const char *name, *type, *help, *member;
    } rows[] = {
        {"tunnel_requests_total", "counter", "Requests of a tunnel.", "requests"},
        {"tunnel_received_bytes_total", "counter", "Bytes from its viewers.", "rx_octets"},
        {"tunnel_sent_bytes_total", "counter", "Bytes to its viewers.", "tx_octets"},
        {"tunnel_viewers", "gauge", "Addresses with a request under way.", "viewers"},
        {"tunnel_websockets", "gauge", "Its open WebSockets.", "websockets"},
        {"tunnel_waiting", "gauge", "Requests that wait for its client.", "waiting"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        begin(w, rows[i].name, rows[i].type, rows[i].help);
        const cJSON *row;
        cJSON_ArrayForEach(row, tunnels)
        {
            char label[128];
            snprintf(label, sizeof label, "tunnel=\"%s\"",
                     cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(row, "name")));
            value(w, rows[i].name, label,
                  cJSON_GetNumberValue(cJSON_GetObjectItemCaseSensitive(row, rows[i].member)));
        }
    }
}

int metrics_write(const struct server *s, uint64_t now_us, const cJSON *tunnels, struct buf *out)
{
    struct writer w = {.server = s, .out = out};
    write_process(&w, now_us);
    write_names(&w);
    write_counters(&w);
    write_outcomes(&w);
    write_histogram(&w, "held_seconds", "How long requests waited for a client.", STAT(held));
    write_histogram(&w, "first_byte_seconds", "From a request's stream to its response's head.",
                    STAT(first_byte));
    write_pools(&w);
    if (tunnels)
        write_of_tunnels(&w, tunnels);
    return w.err;
}
