/* SPDX-License-Identifier: MIT */
/* test_ticket.c - tests which tickets are accepted and which are denied: protocol.md#tickets */
#include "src/names/ticket.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "h2mux/base/err.h"
#include "src/names/keyring.h"
#include "src/names/state.h"

#define DOMAIN SLICE("example.com")
enum { NOW = 1000000 };

/* The secret file of key ka, whose bytes are key_text, and that of key kb. */
static const char key_text[] = "0123456789abcdef0123456789abcdef";
static const char secret_a[] = "ka MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=\n";
static const char secret_b[] = "kb ZmVkY2JhOTg3NjU0MzIxMGZlZGNiYTk4NzY1NDMyMTA=\n";

static char dir[64];

static int make_dir(void **state)
{
    snprintf(dir, sizeof dir, "/tmp/test_ticket.XXXXXX");
    return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", dir);
    return system(command);
}

static struct keyring *keyring_make(const char *text)
{
    char reason[200] = "";
    const char *why;
    assert_int_equal(state_write(dir, STATE_SECRET, slice_str(text), &why), 0);
    struct keyring *k = keyring_open(dir, reason, sizeof reason);
    if (!k)
        fail_msg("%s", reason);
    return k;
}

static struct ticket ticket_make(void)
{
    struct ticket t = {
        .name = "my-app", .since = NOW - 5, .exp = NOW + 100, .rev = NOW - 1, .tok = "ann"};
    memset(t.pol, 0xa5, sizeof t.pol);
    for (size_t i = 0; i < OWNER_LEN; i++)
        t.owner[i] = (uint8_t)(i * 17);
    return t;
}

static void test_round_trip(void **state)
{
    struct keyring *k = keyring_make(secret_a);
    struct ticket in = ticket_make(), out;
    char text[TICKET_MAX];
    assert_int_equal(ticket_sign(k, DOMAIN, &in, text), 0);
    assert_int_equal(
        strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_."),
        strlen(text));
    assert_int_equal(ticket_verify(k, DOMAIN, slice_str(text), NOW, &out), 0);
    assert_string_equal(out.name, "my-app");
    assert_memory_equal(out.owner, in.owner, OWNER_LEN);
    assert_int_equal(out.since, in.since);
    assert_int_equal(out.exp, in.exp);
    assert_int_equal(out.rev, in.rev);
    assert_string_equal(out.tok, in.tok);
    assert_memory_equal(out.pol, in.pol, sizeof out.pol);
    assert_int_equal(ticket_verify(k, DOMAIN, slice_str(text), in.exp - 1, &out), 0);
    assert_int_equal(ticket_verify(k, DOMAIN, slice_str(text), in.exp, &out), ERR_EXPIRED);
    assert_string_equal(out.name, "my-app");
    assert_int_equal(ticket_verify(k, SLICE("example.org"), slice_str(text), NOW, &out),
                     ERR_DENIED);
    keyring_free(k);
}

/* O15: a ticket is denied when any byte of it is changed, when its end is cut off, and when a byte
 * is added. */
static void test_each_byte(void **state)
{
    struct keyring *k = keyring_make(secret_a);
    struct ticket t = ticket_make(), out;
    char text[TICKET_MAX];
    assert_int_equal(ticket_sign(k, DOMAIN, &t, text), 0);
    size_t len = strlen(text);
    for (size_t i = 0; i < len; i++) {
        static const char others[] = "ABw_.=+ \n";
        char was = text[i];
        for (size_t j = 0; j < sizeof others; j++) {
            text[i] = others[j];
            if (others[j] != was)
                assert_int_equal(ticket_verify(k, DOMAIN, slice_make(text, len), NOW, &out),
                                 ERR_DENIED);
        }
        text[i] = was;
        assert_int_equal(ticket_verify(k, DOMAIN, slice_make(text, i), NOW, &out), ERR_DENIED);
    }
    text[len] = 'A';
    assert_int_equal(ticket_verify(k, DOMAIN, slice_make(text, len + 1), NOW, &out), ERR_DENIED);
    keyring_free(k);
}

/* O15: the first key signs and all keys verify. A key that is not in the file does not verify. */
static void test_keys(void **state)
{
    char both[200], text_a[TICKET_MAX], text_b[TICKET_MAX];
    struct ticket t = ticket_make(), out;
    snprintf(both, sizeof both, "# rotated\n\n%s%s", secret_b, secret_a);
    struct keyring *a = keyring_make(secret_a), *ba = keyring_make(both);
    assert_int_equal(ticket_sign(a, DOMAIN, &t, text_a), 0);
    assert_int_equal(ticket_sign(ba, DOMAIN, &t, text_b), 0);
    assert_int_equal(ticket_verify(ba, DOMAIN, slice_str(text_a), NOW, &out), 0);
    assert_int_equal(ticket_verify(ba, DOMAIN, slice_str(text_b), NOW, &out), 0);
    assert_int_equal(ticket_verify(a, DOMAIN, slice_str(text_b), NOW, &out), ERR_DENIED);
    keyring_free(a);
    keyring_free(ba);
}

/* Two keys with the same secret verify each other's tickets, whichever stands first. */
static void test_same_secret_twice(void **state)
{
    static const char second[] = "kz MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=\n";
    char files[2][200], text[TICKET_MAX];
    struct keyring *k[2];
    struct ticket t = ticket_make(), out;
    snprintf(files[0], sizeof files[0], "%s%s", secret_a, second);
    snprintf(files[1], sizeof files[1], "%s%s", second, secret_a);
    for (size_t i = 0; i < 2; i++)
        k[i] = keyring_make(files[i]);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(ticket_sign(k[i / 2], DOMAIN, &t, text), 0);
        assert_int_equal(ticket_verify(k[i % 2], DOMAIN, slice_str(text), NOW, &out), 0);
        assert_string_equal(out.name, t.name);
    }
    keyring_free(k[0]);
    keyring_free(k[1]);
}

static size_t base64url(const void *in, size_t len, char *out)
{
    int n = EVP_EncodeBlock((unsigned char *)out, in, (int)len);
    while (n > 0 && out[n - 1] == '=')
        n--;
    for (int i = 0; i < n; i++)
        out[i] = out[i] == '+' ? '-' : out[i] == '/' ? '_' : out[i];
    return (size_t)n;
}

/* Signs any claims with key ka. */
static void forge(const char *claims, char out[static 4096])
{
    uint8_t mac[32];
    unsigned mac_len = sizeof mac;
    size_t len = base64url(claims, strlen(claims), out);
    HMAC(EVP_sha256(), key_text, 32, (const unsigned char *)claims, strlen(claims), mac, &mac_len);
    out[len++] = '.';
    len += base64url(mac, sizeof mac, out + len);
    out[len] = '\0';
}

#define POL "lCE9LFRx5eMNf0I5WrW7UsU4cZsOcl-O4EZvoFmITEw"
#define ZEROS "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
#define OWNER "\"owner\":\"000102030405060708090a0b0c0d0e0f\""
#define REST "\"dom\":\"example.com\",\"name\":\"my-app\"," OWNER ",\"since\":1,\"exp\":2000000"

static const struct {
    const char *what, *claims;
    int want;
} rows[] = {
    {"valid", "{\"v\":1,\"kid\":\"ka\"," REST "}", 0},
    {"in another order", "{" REST ", \"kid\":\"ka\", \"v\":1}", 0},
    {"another version", "{\"v\":2,\"kid\":\"ka\"," REST "}", ERR_DENIED},
    {"version as text", "{\"v\":\"1\",\"kid\":\"ka\"," REST "}", ERR_DENIED},
    {"another key's id", "{\"v\":1,\"kid\":\"kb\"," REST "}", ERR_DENIED},
    {"P2 a policy", "{\"v\":1,\"kid\":\"ka\",\"pol\":\"" POL "\"," REST "}", 0},
    {"P2 no text", "{\"v\":1,\"kid\":\"ka\",\"pol\":{}," REST "}", ERR_DENIED},
    {"P2 a short hash", "{\"v\":1,\"kid\":\"ka\",\"pol\":\"AQ\"," REST "}", ERR_DENIED},
    {"P2 zeros", "{\"v\":1,\"kid\":\"ka\",\"pol\":\"" ZEROS "\"," REST "}", ERR_DENIED},
    {"P2 twice", "{\"v\":1,\"kid\":\"ka\",\"pol\":\"" POL "\",\"pol\":\"" POL "\"," REST "}",
     ERR_DENIED},
    {"T4 a token", "{\"v\":1,\"kid\":\"ka\",\"tok\":\"x\"," REST "}", 0},
    {"T4 a token that is none", "{\"v\":1,\"kid\":\"ka\",\"tok\":\"a b\"," REST "}", ERR_DENIED},
    {"T4 an empty token", "{\"v\":1,\"kid\":\"ka\",\"tok\":\"\"," REST "}", ERR_DENIED},
    {"T4 a token twice", "{\"v\":1,\"kid\":\"ka\",\"tok\":\"x\",\"tok\":\"y\"," REST "}",
     ERR_DENIED},
    {"T5 a time of issue", "{\"v\":1,\"kid\":\"ka\",\"rev\":7," REST "}", 0},
    {"T5 a time that is none", "{\"v\":1,\"kid\":\"ka\",\"rev\":0," REST "}", ERR_DENIED},
    {"T5 a time as text", "{\"v\":1,\"kid\":\"ka\",\"rev\":\"7\"," REST "}", ERR_DENIED},
    {"an unknown claim", "{\"v\":1,\"kid\":\"ka\",\"aud\":1," REST "}", ERR_DENIED},
    {"a claim twice", "{\"v\":1,\"v\":1,\"kid\":\"ka\"," REST "}", ERR_DENIED},
    {"a claim missing", "{\"v\":1," REST "}", ERR_DENIED},
    {"no object", "[1]", ERR_DENIED},
    {"an empty object", "{}", ERR_DENIED},
    {"no JSON", "hello", ERR_DENIED},
    {"something behind it", "{\"v\":1,\"kid\":\"ka\"," REST "} x", ERR_DENIED},
    {"no name",
     "{\"v\":1,\"kid\":\"ka\",\"dom\":\"example.com\",\"name\":\"\"," OWNER
     ",\"since\":1,\"exp\":2}",
     ERR_DENIED},
    {"a long name",
     "{\"v\":1,\"kid\":\"ka\",\"dom\":\"example.com\",\"name\":"
     "\"a234567890123456789012345678901234567890123456789012345678901234\"," OWNER
     ",\"since\":1,\"exp\":2}",
     ERR_DENIED},
    {"a short owner",
     "{\"v\":1,\"kid\":\"ka\",\"dom\":\"example.com\",\"name\":\"abc\",\"owner\":\"00\",\"since\":"
     "1,"
     "\"exp\":2}",
     ERR_DENIED},
    {"an end before the epoch",
     "{\"v\":1,\"kid\":\"ka\",\"dom\":\"example.com\",\"name\":\"abc\"," OWNER
     ",\"since\":1,\"exp\":-2}",
     ERR_DENIED},
    {"an end that is no number",
     "{\"v\":1,\"kid\":\"ka\",\"dom\":\"example.com\",\"name\":\"abc\"," OWNER
     ",\"since\":1,\"exp\":1e300}",
     ERR_DENIED},
    {"expired",
     "{\"v\":1,\"kid\":\"ka\",\"dom\":\"example.com\",\"name\":\"abc\"," OWNER
     ",\"since\":1,\"exp\":2}",
     ERR_EXPIRED},
};

/* O15 */
static void test_claims(void **state)
{
    struct keyring *k = keyring_make(secret_a);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[4096];
        struct ticket t;
        forge(rows[i].claims, text);
        int got = ticket_verify(k, DOMAIN, slice_str(text), NOW, &t);
        if (got != rows[i].want)
            fail_msg("%s: %s", rows[i].what, err_text(got));
    }
    keyring_free(k);
}

static void test_nonsense(void **state)
{
    static const char *const texts[] = {"", ".", "a.b", "..", "e30.", ".e30", "e30.e30", "e30"};
    struct keyring *k = keyring_make(secret_a);
    struct ticket t;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        assert_int_equal(ticket_verify(k, DOMAIN, slice_str(texts[i]), NOW, &t), ERR_DENIED);
    char *large = calloc(1, 100000);
    memset(large, 'A', 99999);
    large[50000] = '.';
    assert_int_equal(ticket_verify(k, DOMAIN, slice_str(large), NOW, &t), ERR_DENIED);
    free(large);
    keyring_free(k);
}

/* A ticket for the longest domain and name fits. */
static void test_longest(void **state)
{
    char domain[190], text[TICKET_MAX];
    struct ticket t = ticket_make(), out;
    struct keyring *k = keyring_make(secret_a);
    memset(domain, 'd', sizeof domain);
    memset(t.name, 'n', NAME_MAX_LEN);
    t.since = t.exp = INT64_C(1) << 52;
    assert_int_equal(ticket_sign(k, slice_make(domain, 189), &t, text), 0);
    assert_int_equal(ticket_verify(k, slice_make(domain, 189), slice_str(text), NOW, &out), 0);
    assert_int_equal(out.exp, t.exp);
    keyring_free(k);
}

static void test_owner(void **state)
{
    uint8_t a[OWNER_LEN], b[OWNER_LEN];
    char text[OWNER_TEXT_MAX];
    assert_int_equal(owner_new(a), 0);
    assert_int_equal(owner_new(b), 0);
    assert_false(owner_eq(a, b));
    owner_text(a, text);
    assert_int_equal(owner_parse(slice_str(text), b), 0);
    assert_true(owner_eq(a, b));
    text[5] = 'g';
    assert_int_equal(owner_parse(slice_str(text), b), ERR_SYNTAX);
    assert_int_equal(owner_parse(SLICE("00"), b), ERR_SYNTAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip), cmocka_unit_test(test_each_byte),
        cmocka_unit_test(test_keys),       cmocka_unit_test(test_same_secret_twice),
        cmocka_unit_test(test_claims),     cmocka_unit_test(test_nonsense),
        cmocka_unit_test(test_longest),    cmocka_unit_test(test_owner),
    };
    return cmocka_run_group_tests_name("ticket", tests, make_dir, remove_dir);
}
