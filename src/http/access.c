/* SPDX-License-Identifier: MIT */
/* access.c - formats the lines of the access log; see access.h.
 *
 * A viewer chooses most of the texts in a line. So each text is escaped and is cut at a limit of
 * its own. With these limits a line always fits into one atomic write to a pipe (PIPE_BUF), and the
 * fields at its end are never cut off. */
#include "src/http/access.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cjson/cJSON.h>

#include "h2mux/base/clock.h"
#include "h2mux/base/log.h"

enum {
    LINE_MAX_BYTES = 4095,
    STATUS_VIEWER_LEFT = 499,
    METHOD_MAX = 64,
    HOST_MAX = 256,
    PATH_MAX_BYTES = 1400,
    REFERER_MAX = 640,
    AGENT_MAX = 400,
    CLF_TIME_MAX = sizeof "22/Nov/2026:10:00:00 +0000"
};

#define ELLIPSIS "..."

/* Holds the viewer's texts of one log line, escaped and cut. */
struct texts {
    char method[METHOD_MAX], host[HOST_MAX], path[PATH_MAX_BYTES];
    char referer[REFERER_MAX], agent[AGENT_MAX];
};

char *access_request_keep(struct access_request *r)
{
    struct {
        struct slice *text;
        size_t most; /* bytes that a line can show; the rest is cut off */
    } parts[] = {{&r->host, HOST_MAX},
                 {&r->method, METHOD_MAX},
                 {&r->path, PATH_MAX_BYTES},
                 {&r->user_agent, AGENT_MAX},
                 {&r->referer, REFERER_MAX}};
    size_t size = 0;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        if (parts[i].text->len > parts[i].most)
            parts[i].text->len = parts[i].most;
        size += parts[i].text->len;
    }
    char *kept = xmalloc(size), *to = kept;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        size_t len = parts[i].text->len;
        if (len > 0)
            memcpy(to, parts[i].text->ptr, len);
        *parts[i].text = slice_make(to, len);
        to += len;
    }
    return kept;
}

/* Writes the byte @c into @out as the log shows it: a printable character as itself, and any other
 * byte, `"` and `\` as \xNN. A space is printed as itself only if the text is @quoted. Returns the
 * number of characters written (1 or 4). */
static size_t escape_byte(char c, bool quoted, char out[static 5])
{
    bool plain = c > ' ' && c <= '~' && c != '\\' && c != '"';
    if (plain || (c == ' ' && quoted)) {
        out[0] = c;
        return 1;
    }
    return (size_t)snprintf(out, 5, "\\x%02x", (unsigned char)c);
}

/* Writes the text @in into @out, escaped and zero-terminated. Cuts a text that needs more than @cap
 * bytes, and marks the cut with "...". Writes "-" for an empty text. */
static void escape(struct slice in, bool quoted, char *out, size_t cap)
{
    size_t at = 0;
    for (size_t i = 0; i < in.len; i++) {
        char byte[5];
        size_t len = escape_byte(in.ptr[i], quoted, byte);
        if (at + len + sizeof ELLIPSIS > cap) {
            at += (size_t)snprintf(out + at, cap - at, ELLIPSIS);
            break;
        }
        memcpy(out + at, byte, len);
        at += len;
    }
    if (at == 0)
        out[at++] = '-';
    out[at] = '\0';
}

static bool ends_part(char c)
{
    return c == '/' || c == '?' || c == '#';
}

/* Returns where the path of @url begins: behind its scheme and its authority, if it has them. */
static size_t path_of(struct slice url)
{
    ptrdiff_t colon = slice_find(url, ':');
    if (colon <= 0 || slice_find(url, '/') != colon + 1 ||
        !slice_starts(slice_skip(url, (size_t)colon), SLICE("://")))
        return 0;
    size_t at = (size_t)colon + 3;
    while (at < url.len && !ends_part(url.ptr[at]))
        at++;
    return at;
}

/* Finds a key (ACCESS_KEY_PATH) in @url, which is a URL or begins with its path. Returns whether
 * there is one, with its place and its length. */
static bool find_key(struct slice url, size_t *at, size_t *len)
{
    const struct slice secret = SLICE(ACCESS_KEY_PATH);
    size_t path = path_of(url);
    if (!slice_starts(slice_skip(url, path), secret))
        return false;
    size_t end = *at = path + secret.len;
    while (end < url.len && !ends_part(url.ptr[end]))
        end++;
    *len = end - *at;
    return true;
}

/* Writes @url as escape does, with "..." in place of its key. */
static void escape_url(struct slice url, bool quoted, char *out, size_t cap)
{
    size_t at, len, marked = sizeof ELLIPSIS - 1;
    if (!find_key(url, &at, &len)) {
        escape(url, quoted, out, cap);
        return;
    }
    struct slice behind = slice_skip(url, at + len);
    char *shown = xmalloc(at + marked + behind.len);
    memcpy(shown, url.ptr, at);
    memcpy(shown + at, ELLIPSIS, marked);
    memcpy(shown + at + marked, behind.ptr, behind.len);
    escape(slice_make(shown, at + marked + behind.len), quoted, out, cap);
    free(shown);
}

static void texts_fill(struct texts *t, const struct access_entry *e)
{
    const struct access_request *r = &e->request;
    escape(r->method, false, t->method, sizeof t->method);
    escape(r->host, false, t->host, sizeof t->host);
    escape_url(r->path, false, t->path, sizeof t->path);
    escape_url(r->referer, true, t->referer, sizeof t->referer);
    escape(r->user_agent, true, t->agent, sizeof t->agent);
}

static int entry_status(const struct access_entry *e)
{
    return e->status > 0 ? e->status : STATUS_VIEWER_LEFT;
}

/* Writes the current time into @out in the common log format. Writes an empty text when the time
 * cannot be converted. */
static void clf_time(char out[static CLF_TIME_MAX])
{
    time_t now = (time_t)clock_wall_s();
    struct tm tm;
    if (!gmtime_r(&now, &tm) || strftime(out, CLF_TIME_MAX, "%d/%b/%Y:%H:%M:%S +0000", &tm) == 0)
        out[0] = '\0';
}

/* Returns the version as log analysers know it (RFC 9110 2.5: the minor version of HTTP/2 is 0). */
static const char *protocol_of(const struct access_request *r)
{
    if (r->http2)
        return "HTTP/2.0";
    return r->minor_version == 0 ? "HTTP/1.0" : "HTTP/1.1";
}

static void write_text(struct log_file *f, const struct access_entry *e)
{
    struct texts t;
    char now[CLF_TIME_MAX], line[LINE_MAX_BYTES];
    texts_fill(&t, e);
    clf_time(now);
    int len = snprintf(line, sizeof line,
                       "%s - - [%s] \"%s %s %s\" %d %llu \"%s\" \"%s\" tunnel=%s host=%s "
                       "ms=%.3f wait_ms=%.3f rx=%llu%s error=%s%s",
                       e->viewer, now, t.method, t.path, protocol_of(&e->request), entry_status(e),
                       (unsigned long long)e->tx_bytes, t.referer, t.agent, e->tunnel, t.host,
                       (double)e->duration_us / 1000, (double)e->wait_us / 1000,
                       (unsigned long long)e->rx_bytes, e->websocket ? " websocket" : "",
                       e->error ? e->error : "-", e->aborted ? " aborted" : "");
    if (len > 0)
        log_file_line(f, slice_make(line, len < LINE_MAX_BYTES ? (size_t)len : LINE_MAX_BYTES - 1));
}

static cJSON *entry_json(const struct access_entry *e, const struct texts *t)
{
    char now[CLOCK_ISO_MAX];
    cJSON *json = cJSON_CreateObject();
    clock_iso(clock_wall_s(), now);
    cJSON_AddStringToObject(json, "time", now);
    cJSON_AddStringToObject(json, "viewer", e->viewer);
    cJSON_AddStringToObject(json, "tunnel", e->tunnel);
    cJSON_AddStringToObject(json, "host", t->host);
    cJSON_AddStringToObject(json, "method", t->method);
    cJSON_AddStringToObject(json, "path", t->path);
    cJSON_AddStringToObject(json, "protocol", protocol_of(&e->request));
    cJSON_AddNumberToObject(json, "status", entry_status(e));
    cJSON_AddNumberToObject(json, "tx_octets", (double)e->tx_bytes);
    cJSON_AddNumberToObject(json, "rx_octets", (double)e->rx_bytes);
    cJSON_AddNumberToObject(json, "ms", (double)e->duration_us / 1000);
    cJSON_AddNumberToObject(json, "wait_ms", (double)e->wait_us / 1000);
    cJSON_AddBoolToObject(json, "websocket", e->websocket);
    cJSON_AddBoolToObject(json, "aborted", e->aborted);
    if (e->error)
        cJSON_AddStringToObject(json, "error", e->error);
    cJSON_AddStringToObject(json, "referer", t->referer);
    cJSON_AddStringToObject(json, "user_agent", t->agent);
    return json;
}

static void write_json(struct log_file *f, const struct access_entry *e)
{
    struct texts t;
    texts_fill(&t, e);
    cJSON *json = entry_json(e, &t);
    char *line = cJSON_PrintUnformatted(json);
    cJSON_Delete(json);
    log_file_line(f, slice_str(line));
    cJSON_free(line);
}

void access_write(struct log_file *f, bool json, const struct access_entry *e)
{
    if (!f)
        return;
    if (json)
        write_json(f, e);
    else
        write_text(f, e);
}
