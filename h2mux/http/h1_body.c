/* SPDX-License-Identifier: MIT */
/* h1_body.c - finds the payload of one message body among its framing bytes. RFC 9112 6.3, 7.1;
 * rules Q27-Q29.
 *
 * Invariant: after a fault no byte changes the state. Payload is never copied; trailers are copied
 * line by line. */

/* draw: a chunked body
 *
 *   SIZE ──;──▶ EXTENSION ──CR──▶ SIZE_LF ──▶ DATA ──▶ DATA_CR ──▶ DATA_LF ──▶ SIZE …
 *     └────────────CR────────────────▲ └─ last chunk ──▶ TRAILERS ──empty line──▶ done
 *
 * A lenient reader takes LF for CR LF, and reads blanks behind SIZE in BLANKS (rule R25). */
#include "h2mux/http/h1_int.h"

#include <assert.h>

#include "h2mux/http/bytes.h"

enum { CHUNK_DIGITS_MAX = 15 }; /* 60 bits, so that no sum overflows */

enum body_state {
    BODY_SIZE,
    BODY_BLANKS,
    BODY_EXTENSION,
    BODY_SIZE_LF,
    BODY_DATA,
    BODY_DATA_CR,
    BODY_DATA_LF,
    BODY_TRAILERS
};

static int fault(struct h1_body *b, int err, const char *reason)
{
    b->reason = reason;
    return err;
}

void h1_body_init(struct h1_body *b, enum h1_framing framing, int64_t length)
{
    assert(framing != H1_LENGTH || length >= 0);
    *b = (struct h1_body){.framing = framing, .state = BODY_SIZE, .scan = H1_SCAN_TRAILERS};
    if (framing == H1_LENGTH)
        b->left = (uint64_t)length;
    b->done = framing == H1_NO_BODY || (framing == H1_LENGTH && length == 0);
    buf_init(&b->trailers, H1_TRAILERS_MAX);
}

void h1_body_deinit(struct h1_body *b)
{
    buf_release(&b->trailers);
}

static int go(struct h1_body *b, enum body_state next)
{
    b->state = (int)next;
    b->line = 0;
    return ERR_OK;
}

/* Goes on behind the line of a size. */
static int end_size(struct h1_body *b)
{
    return go(b, b->left > 0 ? BODY_DATA : BODY_TRAILERS);
}

static bool is_bare_lf(const struct h1_body *b, unsigned char c)
{
    return c == '\n' && b->lenient;
}

static int on_extension(struct h1_body *b, unsigned char c)
{
    if (c == '\r')
        return go(b, BODY_SIZE_LF);
    if (is_bare_lf(b, c))
        return end_size(b);
    if (!byte_is_value(c))
        return fault(b, ERR_SYNTAX, "control byte in chunk extension");
    if (b->line >= H1_CHUNK_EXT_MAX || b->extensions >= H1_BODY_EXT_MAX)
        return fault(b, ERR_LIMIT, "chunk extensions too long");
    b->line++;
    b->extensions++;
    return ERR_OK;
}

/* Judges the byte behind the digits of a size, and behind the blanks that may follow them. The
 * blanks of one size are bounded; their sum is not, since some servers fill each size up. */
static int on_size_end(struct h1_body *b, unsigned char c)
{
    if (c == '\r')
        return go(b, BODY_SIZE_LF);
    if (is_bare_lf(b, c))
        return end_size(b);
    if (c == ';') {
        go(b, BODY_EXTENSION);
        return on_extension(b, c);
    }
    if (!b->lenient || (c != ' ' && c != '\t'))
        return fault(b, ERR_SYNTAX, "malformed chunk size");
    if (b->state != BODY_BLANKS)
        go(b, BODY_BLANKS);
    if (b->line >= H1_CHUNK_EXT_MAX)
        return fault(b, ERR_LIMIT, "too many blanks behind a chunk size");
    b->line++;
    return ERR_OK;
}

static int on_size(struct h1_body *b, unsigned char c)
{
    int digit = byte_hex(c);
    if (digit >= 0 && b->line < CHUNK_DIGITS_MAX) {
        b->left = b->left << 4 | (unsigned)digit;
        b->line++;
        return ERR_OK;
    }
    if (digit >= 0)
        return fault(b, ERR_SYNTAX, "chunk size too long");
    return b->line > 0 ? on_size_end(b, c) : fault(b, ERR_SYNTAX, "malformed chunk size");
}

static int on_byte(struct h1_body *b, unsigned char c)
{
    switch ((enum body_state)b->state) {
    case BODY_SIZE:
        return on_size(b, c);
    case BODY_BLANKS:
        return on_size_end(b, c);
    case BODY_EXTENSION:
        return on_extension(b, c);
    case BODY_SIZE_LF:
        if (c != '\n')
            return fault(b, ERR_SYNTAX, "bare CR in chunk size line");
        return end_size(b);
    case BODY_DATA_CR:
        if (is_bare_lf(b, c))
            return go(b, BODY_SIZE);
        return c == '\r' ? go(b, BODY_DATA_LF) : fault(b, ERR_SYNTAX, "chunk data without CRLF");
    case BODY_DATA_LF:
        return c == '\n' ? go(b, BODY_SIZE) : fault(b, ERR_SYNTAX, "chunk data without CRLF");
    case BODY_DATA:
    case BODY_TRAILERS:
        break;
    }
    return fault(b, ERR_SYNTAX, "chunk state"); /* cannot be: a run takes payload */
}

static size_t take_payload(struct h1_body *b, struct slice in, struct slice *out)
{
    size_t n = in.len < b->left ? in.len : (size_t)b->left;
    *out = slice_make(in.ptr, n);
    b->left -= n;
    return n;
}

/* Takes bytes up to the end of the line only: what follows the section belongs to the caller. */
static ssize_t take_trailers(struct h1_body *b, struct slice in)
{
    const struct h1_limits limits = {
        .head = H1_TRAILERS_MAX, .fields = 100, .field = H1_TRAILERS_MAX, .lenient = b->lenient};
    ptrdiff_t lf = slice_find(in, '\n');
    size_t room = H1_TRAILERS_MAX - buf_len(&b->trailers);
    size_t n = lf < 0 ? in.len : (size_t)lf + 1;
    if (n > room)
        n = room;
    if (buf_append(&b->trailers, slice_make(in.ptr, n)) < 0)
        return fault(b, ERR_LIMIT, "trailers too large"); /* cannot be: the scan counts too */
    ssize_t end = h1_scan_head(&b->scan, buf_slice(&b->trailers), &limits, false);
    if (end < 0)
        return fault(b, (int)end, b->scan.reason);
    b->done = end > 0;
    return (ssize_t)n;
}

static ssize_t take_framing(struct h1_body *b, struct slice in)
{
    if (b->state == BODY_TRAILERS)
        return take_trailers(b, in);
    int err = on_byte(b, (unsigned char)*in.ptr);
    return err < 0 ? err : 1;
}

static ssize_t decode_chunked(struct h1_body *b, struct slice in, struct slice *out)
{
    size_t used = 0;
    while (used < in.len && !b->done && b->state != BODY_DATA) {
        ssize_t n = take_framing(b, slice_skip(in, used));
        if (n < 0)
            return n;
        used += (size_t)n;
    }
    if (b->state == BODY_DATA && used < in.len) {
        used += take_payload(b, slice_skip(in, used), out);
        if (b->left == 0)
            go(b, BODY_DATA_CR);
    }
    return (ssize_t)used;
}

ssize_t h1_body_decode(struct h1_body *b, struct slice in, struct slice *out)
{
    *out = SLICE("");
    if (b->done || in.len == 0)
        return 0;
    switch (b->framing) {
    case H1_CHUNKED:
        return decode_chunked(b, in, out);
    case H1_LENGTH: {
        size_t n = take_payload(b, in, out);
        b->done = b->left == 0;
        return (ssize_t)n;
    }
    case H1_UNTIL_CLOSE:
        *out = in;
        return (ssize_t)in.len;
    case H1_NO_BODY:
        break;
    }
    return 0; /* cannot be: a body without bytes is done from the start */
}

int h1_body_eof(struct h1_body *b)
{
    if (b->framing == H1_UNTIL_CLOSE)
        b->done = true;
    return b->done ? ERR_OK : ERR_TRUNCATED;
}

int h1_body_trailers(struct h1_body *b, struct fields *out)
{
    struct slice lines = buf_slice(&b->trailers);
    struct field field;
    if (!b->done)
        return ERR_SYNTAX;
    while (h1_next_field(&lines, &field))
        if (!field_forbidden_in_trailers(field.name))
            fields_add(out, field.name, field.value);
    return ERR_OK;
}
