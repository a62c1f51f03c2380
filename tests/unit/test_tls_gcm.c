/* SPDX-License-Identifier: MIT */
/* test_tls_gcm.c - the provider's AES-GCM beside OpenSSL's own: the same bytes whatever the sizes
 * and cuts, no byte taken that was changed, and TLS of both versions between contexts with and
 * without it. tls_gcm.h. */
#include "secure.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/provider.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>

#include "h2mux/io/tls_gcm.h"

enum { NONCE = 12, TAG = 16, AAD_MAX = 16, TEXT_MAX = 40000, ROUNDS = 400 };

static const struct {
    const char *name;
    size_t key_len;
} sizes[] = {{"AES-128-GCM", 16}, {"AES-256-GCM", 32}};

static unsigned char key[32], nonce[NONCE], aad[AAD_MAX], text[TEXT_MAX];

static bool absent(void)
{
    if (!tls_gcm_properties()) {
        print_message("no ipsec-mb, or a processor without VAES and AVX-512\n");
        return true;
    }
    return false;
}

static EVP_CIPHER *fetch(const char *name, const char *provider)
{
    char query[64];
    snprintf(query, sizeof query, "provider=%s", provider);
    EVP_CIPHER *cipher = EVP_CIPHER_fetch(tls_gcm_library(), name, query);
    assert_non_null(cipher);
    assert_string_equal(OSSL_PROVIDER_get0_name(EVP_CIPHER_get0_provider(cipher)), provider);
    return cipher;
}

static EVP_CIPHER_CTX *open_context(const EVP_CIPHER *cipher, bool encrypts)
{
    EVP_CIPHER_CTX *x = EVP_CIPHER_CTX_new();
    assert_int_equal(EVP_CipherInit_ex(x, cipher, NULL, key, NULL, encrypts), 1);
    return x;
}

/* One record in pieces of random sizes; @tag is told, or expected. What final says. */
static int run(EVP_CIPHER_CTX *x, bool encrypts, size_t aad_len, const unsigned char *in,
               unsigned char *out, size_t len, unsigned char *tag)
{
    int n = 0;
    assert_int_equal(EVP_CipherInit_ex(x, NULL, NULL, NULL, nonce, encrypts), 1);
    if (!encrypts)
        assert_int_equal(EVP_CIPHER_CTX_ctrl(x, EVP_CTRL_AEAD_SET_TAG, TAG, tag), 1);
    if (aad_len > 0)
        assert_int_equal(EVP_CipherUpdate(x, NULL, &n, aad, (int)aad_len), 1);
    for (size_t at = 0, piece; at < len; at += piece) {
        piece = rand() % 3 == 0 ? len - at : 1 + (size_t)rand() % (len - at);
        assert_int_equal(EVP_CipherUpdate(x, out + at, &n, in + at, (int)piece), 1);
        assert_int_equal(n, piece);
    }
    int ok = EVP_CipherFinal_ex(x, out + len, &n);
    if (ok == 1 && encrypts)
        assert_int_equal(EVP_CIPHER_CTX_ctrl(x, EVP_CTRL_AEAD_GET_TAG, TAG, tag), 1);
    return ok;
}

static void test_same_as_openssl(void **state)
{
    static unsigned char ours[TEXT_MAX + TAG], theirs[TEXT_MAX + TAG], back[TEXT_MAX + TAG];
    if (absent())
        skip();
    srand(7);
    for (size_t s = 0; s < 2; s++) {
        EVP_CIPHER *our = fetch(sizes[s].name, "oneport"), *their = fetch(sizes[s].name, "default");
        assert_int_equal(EVP_CIPHER_get_key_length(our), sizes[s].key_len);
        assert_int_equal(EVP_CIPHER_get_flags(our) & EVP_CIPH_FLAG_AEAD_CIPHER,
                         EVP_CIPH_FLAG_AEAD_CIPHER);
        EVP_CIPHER_CTX *seal = open_context(our, true), *open = open_context(our, false),
                       *their_seal = open_context(their, true);
        for (int i = 0; i < ROUNDS; i++) {
            unsigned char tag[TAG], their_tag[TAG];
            size_t len = i < 100 ? (size_t)i : (size_t)rand() % (i < 200 ? 1500 : TEXT_MAX);
            size_t aad_len = (size_t)rand() % (AAD_MAX + 1);
            RAND_bytes(nonce, NONCE);
            assert_int_equal(run(seal, true, aad_len, text, ours, len, tag), 1);
            assert_int_equal(run(their_seal, true, aad_len, text, theirs, len, their_tag), 1);
            assert_memory_equal(ours, theirs, len);
            assert_memory_equal(tag, their_tag, TAG);
            assert_int_equal(run(open, false, aad_len, theirs, back, len, tag), 1);
            assert_memory_equal(back, text, len);
            memcpy(back, text, len); /* and in place, as records are */
            assert_int_equal(run(seal, true, aad_len, back, back, len, tag), 1);
            assert_memory_equal(back, theirs, len);
        }
        EVP_CIPHER_CTX_free(seal);
        EVP_CIPHER_CTX_free(open);
        EVP_CIPHER_CTX_free(their_seal);
        EVP_CIPHER_free(our);
        EVP_CIPHER_free(their);
    }
}

/* Any bit of the text, the tag, the additional data or the nonce. */
static void test_changed(void **state)
{
    unsigned char sealed[100], back[100 + TAG], tag[TAG];
    if (absent())
        skip();
    for (size_t s = 0; s < 2; s++) {
        EVP_CIPHER *our = fetch(sizes[s].name, "oneport");
        EVP_CIPHER_CTX *seal = open_context(our, true), *open = open_context(our, false);
        const struct {
            unsigned char *at;
            size_t len;
        } parts[] = {{sealed, sizeof sealed}, {tag, TAG}, {aad, 5}, {nonce, NONCE}};
        assert_int_equal(run(seal, true, 5, text, sealed, sizeof sealed, tag), 1);
        for (size_t p = 0; p < 4; p++) {
            for (size_t bit = 0; bit < parts[p].len * 8; bit++) {
                parts[p].at[bit / 8] ^= (unsigned char)(1 << bit % 8);
                assert_int_equal(run(open, false, 5, sealed, back, sizeof sealed, tag), 0);
                parts[p].at[bit / 8] ^= (unsigned char)(1 << bit % 8);
            }
        }
        assert_int_equal(run(open, false, 4, sealed, back, sizeof sealed, tag), 0);
        assert_int_equal(run(open, false, 5, sealed, back, sizeof sealed - 1, tag), 0);
        assert_int_equal(run(open, false, 5, sealed, back, sizeof sealed, tag), 1);
        EVP_CIPHER_CTX_free(seal);
        EVP_CIPHER_CTX_free(open);
        EVP_CIPHER_free(our);
    }
}

/* A nonce twice, no key, no tag, sizes that GCM of TLS does not have. */
static void test_misused(void **state)
{
    unsigned char out[64], tag[TAG], long_aad[AAD_MAX + 1] = {0};
    int n = 0;
    if (absent())
        skip();
    EVP_CIPHER *our = fetch("AES-128-GCM", "oneport");
    EVP_CIPHER_CTX *x = EVP_CIPHER_CTX_new();
    assert_int_equal(EVP_CipherInit_ex(x, our, NULL, NULL, nonce, 1), 1);
    assert_int_equal(EVP_CipherUpdate(x, out, &n, text, 10), 0); /* no key */
    assert_int_equal(EVP_CipherInit_ex(x, NULL, NULL, key, NULL, 1), 1);
    assert_int_equal(EVP_CipherUpdate(x, out, &n, text, 10), 0); /* its nonce was another key's */
    assert_int_equal(run(x, true, 0, text, out, 10, tag), 1);
    assert_int_equal(EVP_CipherUpdate(x, out, &n, text, 10), 0); /* the nonce is used */
    assert_int_equal(EVP_CipherFinal_ex(x, out, &n), 0);
    assert_int_equal(EVP_CIPHER_CTX_ctrl(x, EVP_CTRL_AEAD_SET_IVLEN, 16, NULL), 0);
    assert_int_equal(EVP_CIPHER_CTX_ctrl(x, EVP_CTRL_AEAD_SET_IVLEN, NONCE, NULL), 1);
    assert_int_equal(EVP_CIPHER_CTX_ctrl(x, EVP_CTRL_AEAD_SET_TAG, 12, tag), 0);
    assert_int_equal(EVP_CipherInit_ex(x, NULL, NULL, NULL, nonce, 1), 1);
    assert_int_equal(EVP_CIPHER_CTX_ctrl(x, EVP_CTRL_AEAD_GET_TAG, TAG, tag), 0); /* not yet */
    assert_int_equal(EVP_CipherUpdate(x, NULL, &n, long_aad, sizeof long_aad), 0);
    assert_int_equal(EVP_CipherUpdate(x, out, &n, text, 10), 1);
    assert_int_equal(EVP_CipherUpdate(x, NULL, &n, aad, 5), 0); /* behind the text */
    assert_int_equal(EVP_CipherInit_ex(x, NULL, NULL, NULL, nonce, 0), 1);
    assert_int_equal(EVP_CipherUpdate(x, out, &n, text, 10), 1);
    assert_int_equal(EVP_CipherFinal_ex(x, out, &n), 0); /* no tag was given */
    EVP_CIPHER_CTX_free(x);
    EVP_CIPHER_free(our);
}

/* ---- TLS between contexts with and without it */

struct end {
    SSL_CTX *ctx;
    SSL *ssl;
};

static struct end open_end(bool server, bool ours, int version, const char *suite)
{
    struct end e = {.ctx = SSL_CTX_new_ex(ours ? tls_gcm_library() : NULL,
                                          ours ? tls_gcm_properties() : NULL,
                                          server ? TLS_server_method() : TLS_client_method())};
    SSL_CTX_set_min_proto_version(e.ctx, version);
    SSL_CTX_set_max_proto_version(e.ctx, version);
    if (version == TLS1_3_VERSION)
        assert_int_equal(SSL_CTX_set_ciphersuites(e.ctx, suite), 1);
    else
        assert_int_equal(SSL_CTX_set_cipher_list(e.ctx, suite), 1);
    if (server) {
        assert_int_equal(SSL_CTX_use_certificate_file(e.ctx, path("good.pem"), SSL_FILETYPE_PEM),
                         1);
        assert_int_equal(SSL_CTX_use_PrivateKey_file(e.ctx, path("good.pem"), SSL_FILETYPE_PEM), 1);
    }
    e.ssl = SSL_new(e.ctx);
    return e;
}

static void close_end(struct end *e)
{
    SSL_free(e->ssl);
    SSL_CTX_free(e->ctx);
}

static void connect_ends(struct end *client, struct end *server)
{
    BIO *a = NULL, *b = NULL;
    assert_int_equal(BIO_new_bio_pair(&a, 256 * 1024, &b, 256 * 1024), 1);
    SSL_set_bio(client->ssl, a, a);
    SSL_set_bio(server->ssl, b, b);
    SSL_set_connect_state(client->ssl);
    SSL_set_accept_state(server->ssl);
    for (int i = 0;
         i < 10 && (!SSL_is_init_finished(client->ssl) || !SSL_is_init_finished(server->ssl));
         i++) {
        SSL_do_handshake(client->ssl);
        SSL_do_handshake(server->ssl);
    }
    assert_true(SSL_is_init_finished(client->ssl) && SSL_is_init_finished(server->ssl));
}

static void say(SSL *from, SSL *to, size_t len)
{
    static unsigned char heard[TEXT_MAX];
    size_t n = 0, got = 0;
    assert_int_equal(SSL_write_ex(from, text, len, &n), 1);
    assert_int_equal(n, len);
    while (got < len) {
        assert_int_equal(SSL_read_ex(to, heard + got, sizeof heard - got, &n), 1);
        got += n;
    }
    assert_memory_equal(heard, text, len);
}

static void talk(struct end *client, struct end *server)
{
    for (int i = 0; i < 40; i++) {
        say(client->ssl, server->ssl, 1 + (size_t)rand() % TEXT_MAX);
        say(server->ssl, client->ssl, 1 + (size_t)rand() % 300);
    }
}

static void test_tls(void **state)
{
    static const struct {
        int version;
        const char *suite;
    } kinds[] = {
        {TLS1_3_VERSION, "TLS_AES_128_GCM_SHA256"},
        {TLS1_3_VERSION, "TLS_AES_256_GCM_SHA384"},
        {TLS1_3_VERSION, "TLS_CHACHA20_POLY1305_SHA256"},
        {TLS1_2_VERSION, "ECDHE-ECDSA-AES128-GCM-SHA256"},
        {TLS1_2_VERSION, "ECDHE-ECDSA-AES256-GCM-SHA384"},
        {TLS1_2_VERSION, "ECDHE-ECDSA-CHACHA20-POLY1305"},
    };
    if (absent())
        skip();
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        for (int ours = 1; ours < 4; ours++) { /* the client, the server, both */
            struct end client = open_end(false, ours & 1, kinds[k].version, kinds[k].suite),
                       server = open_end(true, ours & 2, kinds[k].version, kinds[k].suite);
            print_message("%s, ours %d\n", kinds[k].suite, ours);
            connect_ends(&client, &server);
            talk(&client, &server);
            if (kinds[k].version == TLS1_3_VERSION) {
                assert_int_equal(SSL_key_update(client.ssl, SSL_KEY_UPDATE_REQUESTED), 1);
                talk(&client, &server);
            }
            close_end(&client);
            close_end(&server);
        }
    }
}

/* A record of which one bit was changed on the way ends the connection. */
static void test_tls_changed(void **state)
{
    if (absent())
        skip();
    for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
        const char *suite =
            version == TLS1_3_VERSION ? "TLS_AES_128_GCM_SHA256" : "ECDHE-ECDSA-AES128-GCM-SHA256";
        struct end client = open_end(false, true, version, suite),
                   server = open_end(true, true, version, suite);
        unsigned char record[1000];
        size_t n = 0;
        connect_ends(&client, &server);
        talk(&client, &server);
        assert_int_equal(SSL_write_ex(client.ssl, text, 100, &n), 1);
        int len = BIO_read(SSL_get_rbio(server.ssl), record, sizeof record);
        assert_true(len > 100);
        record[50] ^= 1;
        BIO *mem = BIO_new_mem_buf(record, len);
        SSL_set0_rbio(server.ssl, mem);
        assert_int_equal(SSL_read_ex(server.ssl, record, sizeof record, &n), 0);
        assert_int_equal(SSL_get_error(server.ssl, 0), SSL_ERROR_SSL);
        assert_int_equal(ERR_GET_REASON(ERR_peek_last_error()),
                         SSL_R_DECRYPTION_FAILED_OR_BAD_RECORD_MAC);
        ERR_clear_error();
        close_end(&client);
        close_end(&server);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_as_openssl), cmocka_unit_test(test_changed),
        cmocka_unit_test(test_misused),         cmocka_unit_test(test_tls),
        cmocka_unit_test(test_tls_changed),
    };
    RAND_bytes(key, sizeof key);
    RAND_bytes(nonce, sizeof nonce);
    RAND_bytes(aad, sizeof aad);
    RAND_bytes(text, sizeof text);
    return cmocka_run_group_tests(tests, make_certificates, remove_certificates);
}
