/* SPDX-License-Identifier: MIT */
/* bytes.h - tells which classes of HTTP's grammar a byte belongs to. RFC 9110 5, RFC 9112 3.2. */
#ifndef H2MUX_HTTP_BYTES_H
#define H2MUX_HTTP_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline bool byte_is_digit(unsigned char c)
{
    return c >= '0' && c <= '9';
}

static inline bool byte_is_alpha(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static inline bool byte_is_one_of(unsigned char c, const char *set)
{
    return c != '\0' && strchr(set, c);
}

/* Returns the value of a hexadecimal digit, or -1. */
static inline int byte_hex(unsigned char c)
{
    if (byte_is_digit(c))
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Writes @bytes into @out as 2 * @n hexadecimal digits in lower case, and a zero. */
static inline void bytes_to_hex(const uint8_t *bytes, size_t n, char *out)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < n; i++) {
        out[2 * i] = digits[bytes[i] >> 4];
        out[2 * i + 1] = digits[bytes[i] & 15];
    }
    out[2 * n] = '\0';
}

/* Bits of byte_classes. */
enum {
    BYTE_TOKEN = 1, /* tchar, RFC 9110 5.6.2 */
    BYTE_VALUE = 2, /* inside a field value: VCHAR, obs-text, SP, HTAB; RFC 9110 5.5 */
    BYTE_TARGET = 4 /* inside a request target: VCHAR, but no fragment; rules Q12, Q13 */
};
extern const unsigned char byte_classes[256];

static inline bool byte_is_token(unsigned char c)
{
    return (byte_classes[c] & BYTE_TOKEN) != 0;
}

static inline bool byte_is_value(unsigned char c)
{
    return (byte_classes[c] & BYTE_VALUE) != 0;
}

static inline bool byte_is_target(unsigned char c)
{
    return (byte_classes[c] & BYTE_TARGET) != 0;
}

/* Returns how many bytes at the beginning of @text are certainly neither CTL nor DEL. Looks at
 * eight at a time, so the caller has to look at the rest one by one. */
static inline size_t byte_skip_printable(const char *text, size_t len)
{
    const uint64_t ones = 0x0101010101010101u, tops = 0x8080808080808080u;
    size_t i = 0;
    for (uint64_t x; len - i >= sizeof x; i += sizeof x) {
        memcpy(&x, text + i, sizeof x);
        uint64_t del = x ^ (ones * 0x7f);
        if ((((x - ones * 0x20) & ~x) | ((del - ones) & ~del)) & tops)
            break;
    }
    return i;
}

#endif
