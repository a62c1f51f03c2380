/* SPDX-License-Identifier: MIT */
/* test_tls_certs.c - which certificate a server shows for a name, and what a reload keeps; rules
 * E54, E55. */
#include "tests/unit/secure.h"

#include <openssl/x509v3.h>

/* Returns the file, in `dir`, whose certificate the server shows for @name. */
static const char *shown(struct tls *t, const char *name)
{
    static const char *const files[] = {"exact.pem", "wild.pem", "first.pem", "again.pem"};
    SSL *ssl = tls_ssl_server(t, slice_str(name));
    const char *found = "none";
    if (!ssl)
        return found;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        FILE *f = fopen(path(files[i]), "r");
        X509 *x509 = f ? PEM_read_X509(f, NULL, NULL, NULL) : NULL;
        if (x509 && X509_cmp(x509, SSL_get_certificate(ssl)) == 0)
            found = files[i];
        X509_free(x509);
        if (f)
            fclose(f);
    }
    SSL_free(ssl);
    return found;
}

static void make_all(void)
{
    struct authority good = make_authority("good", "ca.pem");
    make_leaf("first.pem", &good, "DNS:first.test", -DAY_S, DAY_S);
    make_leaf("wild.pem", &good, "DNS:*.wild.test,DNS:wild.test", -DAY_S, DAY_S);
    make_leaf("exact.pem", &good, "DNS:A.wild.test,IP:192.0.2.1", -DAY_S, DAY_S);
    make_leaf("again.pem", &good, "DNS:first.test,DNS:b.test", -DAY_S, DAY_S);
    X509_free(good.cert);
    EVP_PKEY_free(good.key);
}

static const struct {
    const char *what, *name, *file;
} rows[] = {
    {"E54 no name", "", "first.pem"},
    {"E54 the name of the first one", "first.test", "first.pem"},
    {"E54 a name of two: the first one has it", "first.test", "first.pem"},
    {"E54 a name of the last one", "b.test", "again.pem"},
    {"E54 an exact name before the wildcard", "a.wild.test", "exact.pem"},
    {"E54 in another case", "A.WILD.test", "exact.pem"},
    {"E54 the wildcard", "c.wild.test", "wild.pem"},
    {"E54 a wildcard is for one label", "d.c.wild.test", "first.pem"},
    {"E54 the domain of the wildcard", "wild.test", "wild.pem"},
    {"E54 an address is no name", "192.0.2.1", "first.pem"},
    {"E54 an unknown name", "other.test", "first.pem"},
    {"E54 a single label", "test", "first.pem"},
    {"E54 an empty label", ".wild.test", "wild.pem"},
};

static void test_names(void **state)
{
    make_all();
    struct tls_pair pairs[] = {{strdup(path("first.pem")), NULL, ""},
                               {strdup(path("wild.pem")), NULL, ""},
                               {strdup(path("exact.pem")), NULL, ""},
                               {strdup(path("again.pem")), NULL, ""}};
    for (int i = 0; i < 4; i++)
        pairs[i].key_file = pairs[i].cert_file;
    struct tls *t = tls_server_new(pairs, 4);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        print_message("%s\n", rows[i].what);
        assert_string_equal(shown(t, rows[i].name), rows[i].file);
    }
    char longest[300];
    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    assert_string_equal(shown(t, longest), "first.pem");
    tls_free(t);
    for (int i = 0; i < 4; i++)
        free((char *)(uintptr_t)pairs[i].cert_file);
}

/* E55: at a reload a bad file keeps what was read before, a new bad file brings nothing, and a file
 * that is not named any more is gone. */
static void test_reload(void **state)
{
    make_all();
    char *first = strdup(path("first.pem")), *wild = strdup(path("wild.pem")),
         *exact = strdup(path("exact.pem"));
    struct tls_pair two[] = {{first, first, ""}, {wild, wild, ""}};
    struct tls *t = tls_server_new(two, 2);
    assert_string_equal(shown(t, "a.wild.test"), "wild.pem");
    struct tls_pair bad[] = {{first, exact, ""}, {wild, wild, ""}, {exact, wild, ""}};
    tls_server_reload(t, bad, 3);
    assert_string_not_equal(bad[0].reason, "");
    assert_string_equal(bad[1].reason, "");
    assert_string_not_equal(bad[2].reason, "");
    assert_string_equal(shown(t, ""), "first.pem");
    assert_string_equal(shown(t, "a.wild.test"), "wild.pem");
    struct tls_pair one[] = {{exact, exact, ""}};
    tls_server_reload(t, one, 1);
    assert_string_equal(one[0].reason, "");
    assert_string_equal(shown(t, "first.test"), "exact.pem");
    tls_server_reload(t, one, 0);
    assert_string_equal(shown(t, "first.test"), "none");
    assert_false(tls_server_ready(t));
    assert_false(tls_server_covers(t, SLICE("first.test")));
    tls_server_reload(t, one, 1);
    assert_true(tls_server_ready(t));
    tls_free(t);
    free(first);
    free(wild);
    free(exact);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_reload),
    };
    return cmocka_run_group_tests(tests, make_certificates, remove_certificates);
}
