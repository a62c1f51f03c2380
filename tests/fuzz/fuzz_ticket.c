/* fuzz_ticket.c - any octets as a ticket. The input is tried as it is and, signed with the known
 * key, as claims: so what lies behind the signature is reached too. What is accepted must come out
 * again when it is signed anew. */
#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "h2mux/base/err.h"
#include "src/state.h"
#include "src/ticket.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { CLAIMS_MAX = 700, NOW = 1000000 };

static const char key[] = "0123456789abcdef0123456789abcdef";
static const char secret[] = "ka MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=\n";

static struct keyring *keyring_make(void)
{
    char dir[] = "/tmp/fuzz_ticket.XXXXXX", path[64], reason[200];
    if (!mkdtemp(dir) || state_write(dir, STATE_SECRET, slice_str(secret)) < 0)
        abort();
    struct keyring *k = keyring_open(dir, reason, sizeof(reason));
    snprintf(path, sizeof(path), "%s/%s", dir, STATE_SECRET);
    unlink(path);
    rmdir(dir);
    return k;
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

static size_t sign_claims(const uint8_t *data, size_t size, char out[static 2 * CLAIMS_MAX])
{
    uint8_t mac[32];
    unsigned mac_len = sizeof(mac);
    size_t len = base64url(data, size, out);
    HMAC(EVP_sha256(), key, 32, data, size, mac, &mac_len);
    out[len++] = '.';
    return len + base64url(mac, sizeof(mac), out + len);
}

static void verify(const struct keyring *k, struct slice text)
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
    assert(t.since == again.since && t.exp == again.exp);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct keyring *k; /* made once: reading a file a round would be all the work */
    char text[2 * CLAIMS_MAX];
    if (!k)
        k = keyring_make();
    verify(k, slice_make((const char *)data, size));
    if (size <= CLAIMS_MAX)
        verify(k, slice_make(text, sign_claims(data, size, text)));
    return 0;
}
