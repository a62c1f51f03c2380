/* SPDX-License-Identifier: MIT */
/* h1_scan.c - judges the bytes of a head one by one as they arrive, and finds its end. RFC
 * 9112 2.2, 3, 4, 5.
 *
 * Invariant: after a fault no byte changes the state, so a head that arrives in pieces is judged as
 * in one piece. h1_head.c judges what a single byte cannot show: versions, hosts, lengths. */

/* A lenient reader takes LF for the end of a line wherever CR may stand, and nothing else: bare CR,
 * folded lines and blanks before a colon stay faults (rule R25). */

/* draw: a head
 *
 *   request line: METHOD ─SP─▶ TARGET ─SP─▶ VERSION ─CRLF─▶ START
 *   status line:  PROTOCOL ─SP─▶ STATUS ─SP─▶ REASON ─CRLF─▶ START   (or no SP and no REASON)
 *   field line:   NAME ─:─▶ VALUE ─CRLF─▶ START                      (an empty line: the end)
 */
#include "h2mux/http/h1_int.h"

#include "h2mux/http/bytes.h"

const struct h1_limits h1_default_limits = {
    .head = 32 * 1024, .fields = 100, .field = 16 * 1024, .target = 8 * 1024};

enum { STATUS_DIGITS = 3 };

enum scan_part {
    SCAN_START, /* no byte of the line has come */
    SCAN_METHOD,
    SCAN_TARGET,
    SCAN_VERSION,
    SCAN_PROTOCOL,
    SCAN_STATUS,
    SCAN_REASON,
    SCAN_NAME,
    SCAN_VALUE
};

static const char version_shape[] = "HTTP/d.d"; /* d: a digit */
enum { VERSION_LEN = sizeof version_shape - 1 };

static int fault(struct h1_scan *s, int err, const char *reason)
{
    s->reason = reason;
    return err;
}

static size_t part_len(const struct h1_scan *s)
{
    return s->offset - s->part_start;
}

/* Ends the part with the byte that is judged now. */
static int end_part(struct h1_scan *s, enum scan_part next)
{
    s->part = (int)next;
    s->part_start = s->offset + 1;
    return ERR_OK;
}

static int begin_line(struct h1_scan *s, unsigned char c, const struct h1_limits *limits,
                      bool request)
{
    if (s->lines == 0)
        s->part = request ? SCAN_METHOD : SCAN_PROTOCOL;
    else
        s->part = SCAN_NAME;
    s->part_start = s->offset;
    bool ends = c == '\r' || (c == '\n' && limits->lenient);
    if (s->part == SCAN_NAME && !ends && s->lines > limits->fields)
        return fault(s, ERR_LIMIT, "too many fields");
    return ERR_OK;
}

static int scan_method(struct h1_scan *s, unsigned char c)
{
    if (c == ' ' && part_len(s) > 0)
        return end_part(s, SCAN_TARGET);
    if (!byte_is_token(c))
        return fault(s, ERR_SYNTAX, "method is not a token");
    if (part_len(s) >= H1_METHOD_MAX)
        return fault(s, ERR_SYNTAX, "method too long");
    return ERR_OK;
}

static int scan_target(struct h1_scan *s, unsigned char c, const struct h1_limits *limits)
{
    if (c == ' ' && part_len(s) > 0)
        return end_part(s, SCAN_VERSION);
    if (c >= 0x80)
        s->encoding += 2; /* three bytes in place of one; limits are about what leaves */
    else if (!byte_is_target(c))
        return fault(s, ERR_SYNTAX, "forbidden byte in target");
    if (part_len(s) + s->encoding >= limits->target)
        return fault(s, ERR_URI_TOO_LONG, "target too long");
    return ERR_OK;
}

static int scan_version(struct h1_scan *s, unsigned char c)
{
    size_t at = part_len(s);
    if (at == VERSION_LEN && c == ' ' && s->part == SCAN_PROTOCOL)
        return end_part(s, SCAN_STATUS);
    if (at < VERSION_LEN &&
        (version_shape[at] == 'd' ? byte_is_digit(c) : c == (unsigned char)version_shape[at]))
        return ERR_OK;
    return fault(s, ERR_SYNTAX, "malformed HTTP version");
}

static int scan_status(struct h1_scan *s, unsigned char c)
{
    if (part_len(s) == STATUS_DIGITS && c == ' ')
        return end_part(s, SCAN_REASON);
    if (part_len(s) < STATUS_DIGITS && byte_is_digit(c))
        return ERR_OK;
    return fault(s, ERR_SYNTAX, "malformed status code");
}

static int scan_name(struct h1_scan *s, unsigned char c)
{
    if (c == ':' && part_len(s) > 0)
        return end_part(s, SCAN_VALUE);
    if (byte_is_token(c))
        return ERR_OK;
    if (part_len(s) == 0)
        return fault(s, ERR_SYNTAX,
                     c == ':' ? "empty field name" : "folded or malformed field line");
    return fault(s, ERR_SYNTAX, "forbidden byte in field name");
}

static int scan_text(struct h1_scan *s, unsigned char c)
{
    if (byte_is_value(c))
        return ERR_OK;
    return fault(s, ERR_SYNTAX, c == '\n' ? "bare LF" : "control byte in field value");
}

static int scan_part(struct h1_scan *s, unsigned char c, const struct h1_limits *limits)
{
    switch ((enum scan_part)s->part) {
    case SCAN_METHOD:
        return scan_method(s, c);
    case SCAN_TARGET:
        return scan_target(s, c, limits);
    case SCAN_VERSION:
    case SCAN_PROTOCOL:
        return scan_version(s, c);
    case SCAN_STATUS:
        return scan_status(s, c);
    case SCAN_NAME:
        return scan_name(s, c);
    case SCAN_START:
    case SCAN_REASON:
    case SCAN_VALUE:
        return scan_text(s, c);
    }
    return ERR_SYNTAX;
}

/* Returns whether a line may end here. */
static bool line_is_whole(const struct h1_scan *s)
{
    switch ((enum scan_part)s->part) {
    case SCAN_VERSION:
        return part_len(s) == VERSION_LEN;
    case SCAN_STATUS:
        return part_len(s) == STATUS_DIGITS;
    case SCAN_NAME:
        return part_len(s) == 0;
    case SCAN_REASON:
    case SCAN_VALUE:
        return true;
    case SCAN_START:
    case SCAN_METHOD:
    case SCAN_TARGET:
    case SCAN_PROTOCOL:
        return false;
    }
    return false;
}

static int scan_line_end(struct h1_scan *s, unsigned char c)
{
    if (!line_is_whole(s))
        return fault(s, ERR_SYNTAX,
                     s->lines == 0 ? "start line ends early" : "field line without colon");
    s->cr = c == '\r';
    return ERR_OK;
}

static int scan_byte(struct h1_scan *s, unsigned char c, const struct h1_limits *limits,
                     bool request)
{
    if (s->cr)
        return c == '\n' ? ERR_OK : fault(s, ERR_SYNTAX, "bare CR");
    int err = s->part == SCAN_START ? begin_line(s, c, limits, request) : ERR_OK;
    if (err < 0)
        return err;
    if (c == '\r' || (c == '\n' && limits->lenient))
        return scan_line_end(s, c);
    bool own_limits = request && s->lines == 0; /* method and target have limits of their own */
    if (!own_limits && s->offset - s->line_start >= limits->field)
        return fault(s, ERR_LIMIT, "line too long");
    return scan_part(s, c, limits);
}

/* Goes on behind the LF of a line. Returns true at the end of the head. */
static bool end_line(struct h1_scan *s)
{
    bool empty = s->part == SCAN_NAME;
    s->cr = false;
    s->part = SCAN_START;
    s->line_start = s->offset;
    s->lines += !empty;
    return empty;
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Returns the class of the bytes that change nothing but the offset in the middle of this part, or
 * 0 when each byte has to be judged. */
static unsigned char plain_class(const struct h1_scan *s)
{
    if (s->cr)
        return 0;
    switch ((enum scan_part)s->part) {
    case SCAN_NAME:
        return BYTE_TOKEN;
    case SCAN_REASON:
    case SCAN_VALUE:
        return BYTE_VALUE;
    case SCAN_TARGET:
        return BYTE_TARGET;
    case SCAN_START:
    case SCAN_METHOD:
    case SCAN_VERSION:
    case SCAN_PROTOCOL:
    case SCAN_STATUS:
        break;
    }
    return 0;
}

/* Passes over plain bytes, as most of a head are, in one loop, up to where a limit is looked at. */
static void skip_plain(struct h1_scan *s, struct slice head, const struct h1_limits *limits)
{
    unsigned char class = plain_class(s);
    size_t most = limits->head - 1;
    size_t stop = smaller(head.len, most > s->encoding ? most - s->encoding : 0);
    size_t at = s->offset;
    if (class == 0)
        return;
    stop = smaller(stop, class == BYTE_TARGET ? s->part_start + limits->target - s->encoding
                                              : s->line_start + limits->field);
    if (class == BYTE_VALUE && at < stop)
        at += byte_skip_printable(head.ptr + at, stop - at);
    while (at < stop && (byte_classes[(unsigned char)head.ptr[at]] & class) != 0)
        at++;
    s->offset = at;
}

ssize_t h1_scan_head(struct h1_scan *s, struct slice head, const struct h1_limits *limits,
                     bool request)
{
    for (;;) {
        skip_plain(s, head, limits);
        if (s->offset >= head.len)
            return 0;
        unsigned char c = (unsigned char)head.ptr[s->offset];
        int err = scan_byte(s, c, limits, request);
        if (err < 0)
            return err;
        s->offset++;
        if (c == '\n' && end_line(s)) /* LF is a fault anywhere else */
            return (ssize_t)s->offset;
        if (s->offset + s->encoding >= limits->head)
            return fault(s, ERR_LIMIT, "head too large");
    }
}
