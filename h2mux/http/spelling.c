/* SPDX-License-Identifier: MIT */
/* spelling.c - see spelling.h. */
#include "h2mux/http/spelling.h"

#include <endian.h>

enum { CASE_BIT = 0x20 };

/* Holds the names with a spelling of their own, by their length; a space follows each. */
static const char *const established[] = {
    [2] = "IM TE ",
    [3] = "DAV DNT DPR ECT NEL P3P RTT TCN ",
    [4] = "A-IM ALPN DASL DPoP ETag ",
    [6] = "CF-RAY icy-br icy-sr ",
    [7] = "icy-pub icy-url Sec-GPC ",
    [8] = "CDN-Loop icy-name ",
    [9] = "Accept-CH Expect-CT icy-genre Sec-CH-UA SourceMap X-Real-IP ",
    [10] = "Content-ID Message-ID PICS-Label Sec-CH-DPR SOAPAction X-WP-Nonce X-WP-Total ",
    [11] = "Content-DPR Content-MD5 Critical-CH icy-metaint X-B3-SpanId ",
    [12] = ("Icy-MetaData MIME-Version Sec-CH-Width X-B3-TraceId X-CSRF-Token X-Request-ID "
            "X-WebKit-CSP X-XSRF-TOKEN "),
    [13] = "Last-Event-ID MS-Author-Via X-HTTP-Method ",
    [14] = "HTTP2-Settings Sec-CH-UA-Arch X-GitHub-Event ",
    [15] = "icy-description Sec-CH-UA-Model Sec-CH-UA-WoW64 X-UA-Compatible X-WP-TotalPages ",
    [16] = ("Sec-CH-UA-Mobile WWW-Authenticate X-AspNet-Version X-Correlation-ID "
            "X-GitHub-Hook-ID X-XSS-Protection "),
    [17] = "Sec-CH-UA-Bitness Sec-WebSocket-Key X-B3-ParentSpanId X-GitHub-Delivery ",
    [18] = "Sec-CH-UA-Platform ",
    [19] = "X-AspNetMvc-Version ",
    [20] = "Sec-CH-Device-Memory Sec-WebSocket-Accept ",
    [21] = "Sec-CH-Viewport-Width Sec-WebSocket-Version ",
    [22] = ("Sec-CH-UA-Form-Factors Sec-CH-UA-Full-Version Sec-CH-Viewport-Height "
            "Sec-WebSocket-Protocol X-DNS-Prefetch-Control X-HTTP-Method-Override "),
    [24] = "Sec-WebSocket-Extensions ",
    [26] = "Sec-CH-UA-Platform-Version ",
    [27] = "Sec-CH-Prefers-Color-Scheme Sec-CH-UA-Full-Version-List ",
    [29] = "Sec-CH-Prefers-Reduced-Motion ",
    [35] = "Sec-CH-Prefers-Reduced-Transparency ",
};

/* Tells by which letters the names of each length begin: a bit for each, by its place in the
 * alphabet. Most names are done with by one look here. */
static const uint32_t firsts[] = {
    [2] = 1u << 9 /* i */ | 1u << 20 /* t */,
    [3] = 1u << 4 /* d */ | 1u << 5 /* e */ | 1u << 14 /* n */ | 1u << 16 /* p */ |
          1u << 18 /* r */ | 1u << 20 /* t */,
    [4] = 1u << 1 /* a */ | 1u << 4 /* d */ | 1u << 5 /* e */,
    [6] = 1u << 3 /* c */ | 1u << 9 /* i */,
    [7] = 1u << 9 /* i */ | 1u << 19 /* s */,
    [8] = 1u << 3 /* c */ | 1u << 9 /* i */,
    [9] = 1u << 1 /* a */ | 1u << 5 /* e */ | 1u << 9 /* i */ | 1u << 19 /* s */ | 1u << 24 /* x */,
    [10] =
        1u << 3 /* c */ | 1u << 13 /* m */ | 1u << 16 /* p */ | 1u << 19 /* s */ | 1u << 24 /* x */,
    [11] = 1u << 3 /* c */ | 1u << 9 /* i */ | 1u << 24 /* x */,
    [12] = 1u << 9 /* i */ | 1u << 13 /* m */ | 1u << 19 /* s */ | 1u << 24 /* x */,
    [13] = 1u << 12 /* l */ | 1u << 13 /* m */ | 1u << 24 /* x */,
    [14] = 1u << 8 /* h */ | 1u << 19 /* s */ | 1u << 24 /* x */,
    [15] = 1u << 9 /* i */ | 1u << 19 /* s */ | 1u << 24 /* x */,
    [16] = 1u << 19 /* s */ | 1u << 23 /* w */ | 1u << 24 /* x */,
    [17] = 1u << 19 /* s */ | 1u << 24 /* x */,
    [18] = 1u << 19 /* s */,
    [19] = 1u << 24 /* x */,
    [20] = 1u << 19 /* s */,
    [21] = 1u << 19 /* s */,
    [22] = 1u << 19 /* s */ | 1u << 24 /* x */,
    [24] = 1u << 19 /* s */,
    [26] = 1u << 19 /* s */,
    [27] = 1u << 19 /* s */,
    [29] = 1u << 19 /* s */,
    [35] = 1u << 19 /* s */,
};

/* Returns whether @name is the name at @known. That one has letters, digits and hyphens only, and
 * no other byte of a token becomes one of these by the bit. */
static bool is_known(const char *known, struct slice name)
{
    for (size_t i = name.len; i-- > 0;) /* names that begin alike end differently */
        if ((known[i] | CASE_BIT) != (name.ptr[i] | CASE_BIT))
            return false;
    return true;
}

static const char *find(struct slice name)
{
    const size_t lengths = sizeof established / sizeof *established;
    if (name.len >= lengths || name.len == 0 || (firsts[name.len] >> (*name.ptr & 31) & 1) == 0)
        return NULL;
    for (const char *at = established[name.len]; *at != '\0'; at += name.len + 1)
        if (is_known(at, name))
            return at;
    return NULL;
}

/* Returns the eight letters @x, where the top bit of each byte of @starts says whether it begins a
 * part: small letters there become capitals. No byte of a token has its top bit set. */
static uint64_t capitals(uint64_t x, uint64_t starts)
{
    const uint64_t ones = 0x0101010101010101u;
    uint64_t from_a = x + ones * (0x80 - 'a'), behind_z = x + ones * (0x80 - 'z' - 1);
    return x ^ ((from_a & ~behind_z & starts) >> 2); /* 0x80 becomes CASE_BIT */
}

/* Returns a mask with the top bit of each byte of @x that is a hyphen. */
static uint64_t hyphens(uint64_t x)
{
    const uint64_t ones = 0x0101010101010101u;
    uint64_t differs = x ^ (ones * '-');
    return ~(differs + ones * 0x7f) & (ones * 0x80);
}

/* Spells the eight bytes at @from. @starts: the first one begins a part. */
static void spell_eight(char *to, const char *from, bool starts)
{
    uint64_t x;
    memcpy(&x, from, sizeof x);
    x = capitals(le64toh(x), hyphens(le64toh(x)) << 8 | (starts ? 0x80 : 0));
    x = htole64(x);
    memcpy(to, &x, sizeof x);
}

void spelling_write(char *to, struct slice name)
{
    const char *known = find(name);
    size_t at = 0;
    if (known) {
        memcpy(to, known, name.len);
        return;
    }
    for (; at + 8 <= name.len; at += 8)
        spell_eight(to + at, name.ptr + at, at == 0 || name.ptr[at - 1] == '-');
    if (at > 0 && at < name.len) { /* the last eight, of which some were spelled before */
        at = name.len - 8;
        spell_eight(to + at, name.ptr + at, name.ptr[at - 1] == '-');
        return;
    }
    for (; at < name.len; at++) {
        char c = name.ptr[at];
        bool starts = at == 0 || name.ptr[at - 1] == '-';
        to[at] = (char)(starts && c >= 'a' && c <= 'z' ? c - CASE_BIT : c);
    }
}
