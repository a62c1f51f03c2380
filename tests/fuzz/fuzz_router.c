/* fuzz_router.c - any octets as Host (the first line) and as method and path (the second). */
#include <assert.h>
#include <stdint.h>

#include "src/names.h"
#include "src/router.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool within(struct slice part, struct slice whole)
{
    return part.len == 0 || (part.ptr >= whole.ptr && part.ptr + part.len <= whole.ptr + whole.len);
}

static void check_host(struct slice authority)
{
    char name[NAME_MAX_LEN + 1];
    memset(name, 'x', sizeof(name));
    enum route_kind kind = router_host(SLICE("example.com"), authority, name);
    assert(memchr(name, '\0', sizeof(name)));
    assert((kind == ROUTE_TUNNEL) == (name[0] != '\0'));
    for (const char *c = name; *c; c++)
        assert((*c >= 'a' && *c <= 'z') || (*c >= '0' && *c <= '9') || *c == '-');
}

static void check_path(struct slice line)
{
    ptrdiff_t space = slice_find(line, ' ');
    struct slice method = slice_make(line.ptr, space < 0 ? 0 : (size_t)space);
    struct slice path = slice_skip(line, space < 0 ? 0 : (size_t)space + 1);
    struct builtin b = router_builtin(method, path);
    assert(within(b.name, path));
    assert(slice_find(b.name, '/') < 0 && slice_find(b.name, '?') < 0);
    if (b.kind == BUILTIN_ATTACH)
        assert(b.name.len > 0 && slice_eq(method, SLICE("GET")));
    (void)name_valid(b.name);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice input = slice_make((const char *)data, size);
    ptrdiff_t feed = slice_find(input, '\n');
    check_host(slice_make(input.ptr, feed < 0 ? input.len : (size_t)feed));
    check_path(feed < 0 ? input : slice_skip(input, (size_t)feed + 1));
    return 0;
}
