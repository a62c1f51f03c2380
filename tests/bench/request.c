/* request.c - the texts of the load's requests, and what else its modes share: see load.h. */
#include "tests/bench/load.h"

#include <stdio.h>
#include <stdlib.h>

static void append_host(struct load *l, uint64_t number)
{
    const char *sign = strchr(l->host, '%');
    int before = sign ? (int)(sign - l->host) : (int)strlen(l->host);
    char digits[24] = "";

    if (sign)
        snprintf(digits, sizeof(digits), "%llu", (unsigned long long)(number % l->hosts));
    if (buf_printf(&l->request, "Host: %.*s%s%s\r\n", before, l->host, digits,
                   sign ? sign + 1 : "") < 0)
        abort(); /* options longer than LOAD_REQUEST_LIMIT: opt has no such limit */
}

struct slice load_request(struct load *l, uint64_t number, uint64_t body, const char *fields)
{
    buf_truncate(&l->request, 0);
    if (buf_printf(&l->request, "%s %s HTTP/1.1\r\n", body ? "POST" : "GET", l->path) < 0)
        abort();
    append_host(l, number);
    if (body && buf_printf(&l->request, "Content-Length: %llu\r\n", (unsigned long long)body) < 0)
        abort();
    if (buf_printf(&l->request, "%s\r\n", fields) < 0)
        abort();
    return buf_slice(&l->request);
}

double load_seconds(const struct load *l)
{
    return (double)l->milliseconds / 1000;
}

void load_stop(struct load *l)
{
    event_base_loopbreak(l->base);
}
