/* SPDX-License-Identifier: MIT */
/* fuzz_client_proxy.c - an input as the answer of a proxy, whose kind the first byte selects; or,
 * as that byte says, as the URL of a proxy, with a line of NO_PROXY and a line that is a host.
 *
 * Checks that an answer has the same verdict and the same end whole and byte by byte, that every
 * failure has its words, and that an accepted URL asks for a connection in one request. */
#include "client/server/proxy_choice.h"
#include "h2mux/base/err.h"
#include "tests/fuzz/fuzz.h"

struct outcome {
    enum proxy_verdict verdict;
    size_t taken, said;
    int err;
    char reason[PROXY_REASON_MAX];
};

static struct outcome talk(const struct proxy *p, struct slice in, size_t step)
{
    static struct proxy_talk t;
    struct outcome o = {.verdict = PROXY_MORE};
    int err = proxy_begin(&t, p, "example.com", 443);
    assert(err == 0 && t.say_len > 0 && t.say_len <= sizeof t.say);
    while (o.taken < in.len && (o.verdict == PROXY_MORE || o.verdict == PROXY_SAYS)) {
        size_t used = 0, len = in.len - o.taken < step ? in.len - o.taken : step;
        o.verdict = proxy_read(&t, slice_make(in.ptr + o.taken, len), &used);
        assert(used > 0 && used <= len && (o.verdict != PROXY_MORE || used == len));
        o.taken += used;
        if (o.verdict == PROXY_SAYS) {
            assert(t.say_len > 0 && t.say_len <= sizeof t.say);
            o.said += t.say_len;
        }
    }
    assert(o.taken <= PROXY_ANSWER_MAX + 1);
    if (o.verdict == PROXY_FAILED) {
        assert(t.err < 0 && t.reason[0] && strlen(t.reason) < sizeof t.reason);
        o.err = t.err;
        memcpy(o.reason, t.reason, sizeof o.reason);
    }
    return o;
}

static void check_answer(const struct proxy *p, struct slice in)
{
    struct outcome whole = talk(p, in, SIZE_MAX), bytes = talk(p, in, 1);
    assert(whole.verdict == bytes.verdict && whole.taken == bytes.taken);
    assert(whole.said == bytes.said && whole.err == bytes.err);
    assert(strcmp(whole.reason, bytes.reason) == 0);
    if (whole.verdict == PROXY_DONE && p->kind == PROXY_HTTP)
        assert(slice_ends(slice_make(in.ptr, whole.taken), SLICE("\r\n\r\n")) &&
               slice_starts(in, SLICE("HTTP/1.")));
}

static void check_asked(const struct proxy *p)
{
    static struct proxy_talk t;
    int err = proxy_begin(&t, p, "example.com", 443);
    assert(err == 0 && t.say_len <= sizeof t.say);
    if (p->kind != PROXY_HTTP)
        return;
    struct slice said = slice_make(t.say, t.say_len);
    size_t lines = 0;
    for (size_t i = 0; i < said.len; i++) {
        assert((unsigned char)said.ptr[i] >= ' ' || said.ptr[i] == '\r' || said.ptr[i] == '\n');
        lines += said.ptr[i] == '\n';
    }
    assert(lines == (p->user[0] ? 5u : 4u) && slice_ends(said, SLICE("\r\n\r\n")));
}

static void check_url(struct slice in)
{
    char *text = slice_dup(fuzz_line(&in)), *list = slice_dup(fuzz_line(&in));
    char *host = slice_dup(in);
    const char *reason = NULL;
    struct proxy p;
    size_t len = strlen(text);
    if (proxy_parse(text, &p, &reason) == 0) {
        assert(p.port != 0 && p.host[0]);
        check_asked(&p);
    } else {
        assert(reason && reason[0]);
    }
    proxy_hide(text);
    assert(strlen(text) == len);
    bool spared = proxy_spares(list, host);
    ascii_lower(list, strlen(list));
    assert(proxy_spares(list, host) == spared);
    free(text);
    free(list);
    free(host);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct proxy p = {.host = "proxy", .port = 3128};
    struct slice in = fuzz_input(data, size);
    if (size == 0)
        return 0;
    in = slice_skip(in, 1);
    if (data[0] & 4) {
        check_url(in);
        return 0;
    }
    p.kind = data[0] & 1 ? PROXY_SOCKS : PROXY_HTTP;
    if (data[0] & 2) {
        strcpy(p.user, "ann");
        strcpy(p.password, "secret");
    }
    check_answer(&p, in);
    return 0;
}
