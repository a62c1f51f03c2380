/* SPDX-License-Identifier: MIT */
/* h1_write.c - writes heads and chunk framing. RFC 9112 3, 4, 6, 7.
 *
 * The framing comes from struct h1_write and the message's length alone: framing fields among
 * m->fields are not written. A head is written whole or not at all. Names get their usual spelling
 * (rules D35, R28, W12). */
#include "h2mux/http/h1.h"

#include <stdio.h>

#include "h2mux/http/spelling.h"

/* Appends all of @parts, or nothing. */
static int append_all(struct buf *to, const struct slice *parts, size_t count)
{
    size_t len = 0;
    for (size_t i = 0; i < count; i++)
        len += parts[i].len;
    char *at = buf_reserve(to, len);
    if (!at)
        return ERR_LIMIT;
    for (size_t i = 0; i < count; i++) {
        memcpy(at, parts[i].ptr, parts[i].len);
        at += parts[i].len;
    }
    buf_commit(to, len);
    return ERR_OK;
}

static char *put(char *at, struct slice s)
{
    memcpy(at, s.ptr, s.len);
    return at + s.len;
}

static int write_line(struct buf *to, struct slice name, struct slice value)
{
    if (!field_name_valid(name) || !field_value_valid(value))
        return ERR_SYNTAX;
    char *at = buf_reserve(to, name.len + value.len + 4);
    if (!at)
        return ERR_LIMIT;
    spelling_write(at, name);
    at = put(put(at + name.len, SLICE(": ")), value);
    put(at, SLICE("\r\n"));
    buf_commit(to, name.len + value.len + 4);
    return ERR_OK;
}

static bool is_framing(struct slice name)
{
    return slice_ieq(name, SLICE("content-length")) ||
           slice_ieq(name, SLICE("transfer-encoding")) || slice_ieq(name, SLICE("connection"));
}

static bool is_cookie(struct slice name)
{
    return slice_ieq(name, SLICE("cookie"));
}

/* Writes all cookies as one line: HTTP/2 may split them into several fields. RFC 9113 8.2.3, rule
 * D3. */
static int write_cookies(struct buf *to, const struct fields *f)
{
    int err = buf_append(to, SLICE("Cookie: "));
    struct slice between = SLICE("");
    for (size_t i = 0; err == ERR_OK && i < f->count; i++) {
        if (!is_cookie(f->v[i].name))
            continue;
        if (!field_value_valid(f->v[i].value))
            return ERR_SYNTAX;
        err = buf_append(to, between);
        if (err == ERR_OK)
            err = buf_append(to, f->v[i].value);
        between = SLICE("; ");
    }
    return err < 0 ? err : buf_append(to, SLICE("\r\n"));
}

static int write_request_fields(struct buf *to, const struct fields *f)
{
    bool cookies = false;
    int err = ERR_OK;
    for (size_t i = 0; err == ERR_OK && i < f->count; i++) {
        struct slice name = f->v[i].name;
        if (is_framing(name) || slice_ieq(name, SLICE("host")) || (cookies && is_cookie(name)))
            continue;
        cookies |= is_cookie(name);
        err = is_cookie(name) ? write_cookies(to, f) : write_line(to, name, f->v[i].value);
    }
    return err;
}

static int write_response_fields(struct buf *to, const struct fields *f)
{
    int err = ERR_OK;
    for (size_t i = 0; err == ERR_OK && i < f->count; i++)
        if (!is_framing(f->v[i].name))
            err = write_line(to, f->v[i].name, f->v[i].value);
    return err;
}

static int write_length(struct buf *to, uint64_t length)
{
    char digits[SLICE_U64_MAX];
    const struct slice line[] = {SLICE("Content-Length: "), slice_from_u64(length, digits),
                                 SLICE("\r\n")};
    return append_all(to, line, sizeof line / sizeof *line);
}

static int write_framing(struct buf *to, const struct message *m, const struct h1_write *w)
{
    if (w->framing == H1_CHUNKED)
        return buf_append(to, SLICE("Transfer-Encoding: chunked\r\n"));
    if (w->framing == H1_LENGTH && m->length >= 0)
        return write_length(to, (uint64_t)m->length);
    return ERR_OK;
}

static int write_connection(struct buf *to, const struct h1_write *w)
{
    const struct {
        bool on;
        const char *option;
    } options[] = {{w->upgrade, "Upgrade"},
                   {w->close, "close"},
                   {w->keep_alive, "keep-alive"},
                   {w->te_trailers, "TE"}};
    const char *before = "Connection: ";
    int err = ERR_OK;
    for (size_t i = 0; err == ERR_OK && i < sizeof options / sizeof *options; i++) {
        if (!options[i].on)
            continue;
        err = buf_printf(to, "%s%s", before, options[i].option);
        before = ", ";
    }
    if (err == ERR_OK && before[0] == ',')
        err = buf_append(to, SLICE("\r\n"));
    if (err == ERR_OK && w->te_trailers)
        err = buf_append(to, SLICE("TE: trailers\r\n"));
    return err;
}

/* Ends a head, or takes away what was written of one that failed: @to had @before bytes. */
static int finish(struct buf *to, size_t before, int err)
{
    if (err == ERR_OK)
        err = buf_append(to, SLICE("\r\n"));
    if (err < 0)
        buf_truncate(to, before);
    return err;
}

int h1_write_request(struct buf *to, const struct message *m, const struct h1_write *w)
{
    size_t before = buf_len(to);
    if (!h1_method_valid(m->method) || !h1_target_valid(m->path) || m->authority.len == 0)
        return ERR_SYNTAX;
    const struct slice line[] = {m->method, SLICE(" "), m->path, SLICE(" HTTP/1.1\r\n")};
    int err = append_all(to, line, sizeof line / sizeof *line);
    if (err == ERR_OK)
        err = write_line(to, SLICE("Host"), m->authority);
    if (err == ERR_OK)
        err = write_request_fields(to, &m->fields);
    if (err == ERR_OK)
        err = write_framing(to, m, w);
    if (err == ERR_OK)
        err = write_connection(to, w);
    return finish(to, before, err);
}

int h1_write_response(struct buf *to, const struct message *m, const struct h1_write *w)
{
    size_t before = buf_len(to);
    if (m->status < 100 || m->status > 599)
        return ERR_SYNTAX;
    const char digits[] = {(char)('0' + m->status / 100), (char)('0' + m->status / 10 % 10),
                           (char)('0' + m->status % 10)};
    const struct slice line[] = {SLICE("HTTP/1.1 "), slice_make(digits, sizeof digits), SLICE(" "),
                                 slice_str(status_phrase(m->status)), SLICE("\r\n")};
    int err = append_all(to, line, sizeof line / sizeof *line);
    if (err == ERR_OK)
        err = write_response_fields(to, &m->fields);
    if (err == ERR_OK && m->status >= 200 && m->status != 204) /* RFC 9112 6.1, RFC 9110 8.6 */
        err = write_framing(to, m, w);
    if (err == ERR_OK)
        err = write_connection(to, w);
    return finish(to, before, err);
}

size_t h1_chunk_head(char to[static H1_CHUNK_HEAD_MAX], size_t len)
{
    char text[H1_CHUNK_HEAD_MAX + 1];
    int n = snprintf(text, sizeof text, "%zx\r\n", len);
    memcpy(to, text, (size_t)n);
    return (size_t)n;
}

int h1_write_last_chunk(struct buf *to, const struct fields *trailers)
{
    size_t before = buf_len(to);
    int err = buf_append(to, SLICE("0\r\n"));
    for (size_t i = 0; err == ERR_OK && trailers && i < trailers->count; i++)
        if (!field_forbidden_in_trailers(trailers->v[i].name))
            err = write_line(to, trailers->v[i].name, trailers->v[i].value);
    return finish(to, before, err);
}
