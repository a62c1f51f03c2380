/* SPDX-License-Identifier: MIT */
/* base64url.c - converts OpenSSL's base64 to the other alphabet and back; see base64url.h. */
#include "src/names/base64url.h"

#include <openssl/evp.h>

#include "h2mux/base/err.h"

static const char url_alphabet[] = "-_", plain_alphabet[] = "+/";

static void change_alphabet(char *text, size_t len, const char from[static 2],
                            const char to[static 2])
{
    for (size_t i = 0; i < len; i++)
        if (text[i] == from[0] || text[i] == from[1])
            text[i] = text[i] == from[0] ? to[0] : to[1];
}

void base64url_from_base64(char *text, size_t len)
{
    change_alphabet(text, len, plain_alphabet, url_alphabet);
}

size_t base64url_encode(const void *in, size_t len, char *out)
{
    int n = EVP_EncodeBlock((unsigned char *)out, in, (int)len);
    while (n > 0 && out[n - 1] == '=')
        out[--n] = '\0';
    base64url_from_base64(out, (size_t)n);
    return (size_t)n;
}

ssize_t base64url_decode(struct slice in, uint8_t *out, size_t cap)
{
    char text[BASE64URL_MAX + 4], again[BASE64URL_MAX + 4];
    uint8_t bytes[BASE64URL_MAX];
    if (in.len == 0 || in.len > BASE64URL_MAX || in.len % 4 == 1)
        return ERR_SYNTAX;
    memcpy(text, in.ptr, in.len);
    change_alphabet(text, in.len, url_alphabet, plain_alphabet);
    size_t padded = in.len;
    while (padded % 4 != 0)
        text[padded++] = '=';
    int n = EVP_DecodeBlock(bytes, (const unsigned char *)text, (int)padded);
    if (n < 0 || (size_t)n < padded - in.len)
        return ERR_SYNTAX;
    size_t len = (size_t)n - (padded - in.len);
    if (len > cap || !slice_eq(in, slice_make(again, base64url_encode(bytes, len, again))))
        return ERR_SYNTAX;
    memcpy(out, bytes, len);
    return (ssize_t)len;
}
