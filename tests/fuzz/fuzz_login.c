/* SPDX-License-Identifier: MIT */
/* fuzz_login.c - what viewers show to a gate. The first line of an input is an Authorization, the
 * second a Cookie, the third a hash.
 *
 * Checks that no cookie of the gate is left, that the others are, that none is good that the gate
 * has not made, and that names and passwords are texts. */
#include "src/policies/login.h"
#include "tests/fuzz/server.h"

static bool is_gates(struct slice pair)
{
    ptrdiff_t equals = slice_find(pair, '=');
    struct slice name = slice_trim(slice_make(pair.ptr, equals < 0 ? pair.len : (size_t)equals));
    return slice_eq(name, SLICE("__Host-oneport")) || slice_eq(name, SLICE("oneport"));
}

/* Returns how many pairs of @cookie are no cookies of the gate. Fails on one that is if @clean. */
static size_t others(struct slice cookie, bool clean)
{
    size_t n = 0;
    while (cookie.len > 0) {
        ptrdiff_t end = slice_find(cookie, ';');
        struct slice pair = slice_trim(slice_make(cookie.ptr, end < 0 ? cookie.len : (size_t)end));
        cookie = slice_skip(cookie, end < 0 ? cookie.len : (size_t)end + 1);
        assert(!clean || !is_gates(pair));
        n += pair.len > 0 && !is_gates(pair);
    }
    return n;
}

static void check_cookie(struct keyring *k, struct slice cookie)
{
    static const uint8_t owner[OWNER_LEN] = {1};
    struct fields f;
    uint8_t tag[PASS_TAG_LEN];
    struct pass_place at = {k, "my-app", owner, NULL, true, NULL};
    fields_init(&f);
    fields_add(&f, SLICE("Cookie"), cookie);
    assert(!pass_take(&at, &f, 1000000, tag));
    assert(others(fields_value(&f, SLICE("cookie")), true) == others(cookie, false));
    fields_deinit(&f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct keyring *k;
    struct slice in = fuzz_input(data, size), authorization = fuzz_line(&in);
    struct slice cookie = fuzz_line(&in), hash = fuzz_line(&in);
    struct basic b;
    log_threshold = LOG_ERROR;
    if (!k)
        k = fuzz_keyring(SLICE(FUZZ_SECRET));
    if (basic_parse(authorization, &b))
        assert(b.user[0] && strlen(b.user) <= PASSWORD_MAX && strlen(b.password) <= PASSWORD_MAX);
    check_cookie(k, cookie);
    assert(!password_hash_valid(hash) || hash.ptr[0] == '$');
    return 0;
}
