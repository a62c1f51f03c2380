/* SPDX-License-Identifier: MIT */
/* fuzz_ticket.c - a ticket. An input is verified as it is and once more as claims that are signed
 * with the known key, so that the code behind the signature is reached, too. An input that begins
 * with '#' is also read as a secret file.
 *
 * Checks that an accepted ticket reads the same when it is signed again, and that a key of a secret
 * file accepts its own signatures. */
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "h2mux/base/err.h"
#include "src/names/ticket.h"
#include "tests/fuzz/server.h"

enum { CLAIMS_MAX = 700, NOW = 1000000 };

static size_t base64url(const void *in, size_t len, char *out)
{
    int n = EVP_EncodeBlock((unsigned char *)out, in, (int)len);
    while (n > 0 && out[n - 1] == '=')
        n--;
    for (int i = 0; i < n; i++)
        out[i] = out[i] == '+' ? '-' : out[i] == '/' ? '_' : out[i];
    return (size_t)n;
}

static size_t sign_claims(const uint8_t *data, size_t size, char out[static 2 * CLAIMS_MAX])
{
    uint8_t mac[32];
    unsigned mac_len = sizeof mac;
    size_t len = base64url(data, size, out);
    HMAC(EVP_sha256(), FUZZ_KEY, 32, data, size, mac, &mac_len);
    out[len++] = '.';
    return len + base64url(mac, sizeof mac, out + len);
}

static void verify(struct keyring *k, struct slice text)
{
    struct ticket t, again;
    char signed_anew[TICKET_MAX];
    int err = ticket_verify(k, SLICE("example.com"), text, NOW, &t);
    assert(err == 0 || err == ERR_DENIED || err == ERR_EXPIRED);
    if (err == ERR_DENIED)
        return;
    assert(t.name[0] && strlen(t.name) <= NAME_MAX_LEN);
    if (ticket_sign(k, SLICE("example.com"), &t, signed_anew) < 0)
        return;
    assert(ticket_verify(k, SLICE("example.com"), slice_str(signed_anew), NOW, &again) == err);
    assert(strcmp(t.name, again.name) == 0 && owner_eq(t.owner, again.owner));
    assert(t.since == again.since && t.exp == again.exp && t.rev == again.rev);
    assert(strcmp(t.tok, again.tok) == 0);
    assert(memcmp(t.pol, again.pol, sizeof t.pol) == 0);
}

static void check_secret(struct slice content)
{
    struct ticket t = {.name = "my-app", .exp = NOW + 1}, again;
    char text[TICKET_MAX];
    struct keyring *k = fuzz_keyring(content);
    if (k) {
        assert(owner_new(t.owner) == 0);
        assert(ticket_sign(k, SLICE("example.com"), &t, text) == 0);
        assert(ticket_verify(k, SLICE("example.com"), slice_str(text), NOW, &again) == 0);
        assert(owner_eq(t.owner, again.owner));
    }
    keyring_free(k);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    /* Made once: otherwise most of the time would go into reading a file. */
    static struct keyring *k;
    struct slice in = fuzz_input(data, size);
    char text[2 * CLAIMS_MAX];
    log_threshold = LOG_ERROR;
    if (!k)
        k = fuzz_keyring(SLICE(FUZZ_SECRET));
    verify(k, in);
    if (size <= CLAIMS_MAX)
        verify(k, slice_make(text, sign_claims(data, size, text)));
    if (slice_starts(in, SLICE("#")))
        check_secret(in);
    return 0;
}
