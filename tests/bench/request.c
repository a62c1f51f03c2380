/* SPDX-License-Identifier: MIT */
/* request.c - writes the requests of the load generator: see load.h. */
#include <stdio.h>
#include <stdlib.h>

#include "h2mux/base/err.h"
#include "tests/bench/load.h"

enum { ORDER_LIMIT = 1 << 20 };

static int append_ordered(struct load *l, struct slice digits)
{
    uint64_t number;
    if (slice_to_u64(digits, UINT32_MAX, &number) < 0)
        return ERR_SYNTAX;
    l->hosts++;
    return buf_append(&l->ordered, slice_make((const char *)&number, sizeof number));
}

int load_prepare(struct load *l)
{
    struct slice left = l->order ? slice_str(l->order) : SLICE("");
    ptrdiff_t comma;
    int err = 0;
    buf_init(&l->request, LOAD_REQUEST_LIMIT);
    buf_init(&l->ordered, ORDER_LIMIT);
    if (!l->order)
        return 0;
    l->hosts = 0;
    while (err == 0 && (comma = slice_find(left, ',')) >= 0) {
        err = append_ordered(l, slice_make(left.ptr, (size_t)comma));
        left = slice_skip(left, (size_t)comma + 1);
    }
    if (err == 0)
        err = append_ordered(l, left);
    if (err < 0)
        fprintf(stderr, "load: --order: %s\n", err_text(err));
    return err;
}

static uint64_t host_number(const struct load *l, uint64_t number)
{
    uint64_t place = number % l->hosts;
    if (buf_len(&l->ordered) > 0)
        memcpy(&place, buf_slice(&l->ordered).ptr + place * sizeof place, sizeof place);
    return place;
}

/* Writes the host; a pattern gets the number in place of its sign. */
static int print_host(const struct load *l, uint64_t number, char *to, size_t size)
{
    const char *sign = strchr(l->host, '%');
    if (!sign)
        return snprintf(to, size, "%s", l->host);
    return snprintf(to, size, "%.*s%llu%s", (int)(sign - l->host), l->host,
                    (unsigned long long)host_number(l, number), sign + 1);
}

static struct slice first_label(struct slice host)
{
    ptrdiff_t dot = slice_find(host, '.');
    return slice_make(host.ptr, dot < 0 ? host.len : (size_t)dot + 1);
}

void load_ask(struct load *l, struct viewer *v, uint64_t number, uint64_t body, const char *fields)
{
    char text[LOAD_HOST_MAX], length[64] = "";
    int len = print_host(l, number, text, sizeof text);
    if (len < 0 || (size_t)len >= sizeof text)
        abort(); /* the options are too long for a request */
    if (body)
        snprintf(length, sizeof length, "Content-Length: %llu\r\n", (unsigned long long)body);
    buf_truncate(&l->request, 0);
    if (buf_printf(&l->request, "%s %s HTTP/1.1\r\nHost: %s\r\n", body ? "POST" : "GET", l->path,
                   text) < 0 ||
        (l->viewer && buf_printf(&l->request, "X-Forwarded-For: %s\r\n", l->viewer) < 0) ||
        buf_printf(&l->request, "%s%s\r\n", length, fields) < 0)
        abort();
    if (l->check)
        viewer_expect(v, first_label(slice_make(text, (size_t)len)));
    viewer_ask(v, buf_slice(&l->request));
}

uint64_t load_turn(const struct load *l, uint64_t viewer, uint64_t request)
{
    return l->every ? 2 * viewer + request / l->every % 2 : viewer;
}

double load_seconds(const struct load *l)
{
    return (double)l->milliseconds / 1000;
}

void load_stop(struct load *l)
{
    event_base_loopbreak(l->base);
}
