/* SPDX-License-Identifier: MIT */
/* fuzz_route.c - any bytes as Host (the first line) and as method and path (the second). */
#include "src/http/route.h"
#include "src/names/label.h"
#include "tests/fuzz/fuzz.h"

static void check_host(struct slice authority)
{
    char name[NAME_MAX_LEN + 1];
    memset(name, 'x', sizeof name);
    enum route_kind kind = route_host(SLICE("example.com"), authority, name);
    assert(memchr(name, '\0', sizeof name));
    assert((kind == ROUTE_TUNNEL) == (name[0] != '\0'));
    for (const char *c = name; *c; c++)
        assert((*c >= 'a' && *c <= 'z') || (*c >= '0' && *c <= '9') || *c == '-');
}

static void check_path(struct slice line)
{
    ptrdiff_t space = slice_find(line, ' ');
    struct slice method = slice_make(line.ptr, space < 0 ? 0 : (size_t)space);
    struct slice path = slice_skip(line, space < 0 ? 0 : (size_t)space + 1);
    struct builtin b = route_builtin(method, path);
    assert(fuzz_within(b.name, path));
    assert(slice_find(b.name, '/') < 0 && slice_find(b.name, '?') < 0);
    if (b.kind == BUILTIN_ATTACH)
        assert(b.name.len > 0 && slice_eq(method, SLICE("GET")));
    (void)label_valid(b.name);
}

/* Checks that the route of a whole request is that of its parts. */
static void check_route(struct slice authority, struct slice line)
{
    ptrdiff_t space = slice_find(line, ' ');
    struct message m = {.method = slice_make(line.ptr, space < 0 ? 0 : (size_t)space),
                        .path = slice_skip(line, space < 0 ? 0 : (size_t)space + 1),
                        .authority = authority};
    struct route route;
    char name[NAME_MAX_LEN + 1];
    route_find(SLICE("example.com"), &m, &route);
    if (route_proves(m.path))
        assert(route.kind == ROUTE_BASE);
    else
        assert(route.kind == route_host(SLICE("example.com"), authority, name));
    if (route.kind == ROUTE_BASE)
        assert(route.builtin.kind == route_builtin(m.method, m.path).kind);
    else
        assert(route.builtin.kind == BUILTIN_NONE && !strcmp(route.name, name));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice input = fuzz_input(data, size);
    struct slice host = fuzz_line(&input);
    check_host(host);
    check_path(input.len == 0 ? host : input);
    check_route(host, input);
    return 0;
}
