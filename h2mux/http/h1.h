/* SPDX-License-Identifier: MIT */
/* h1.h - parses and writes HTTP/1.1 strictly: heads and bodies in both directions, without I/O. RFC
 * 9112; http-rules.md#requests-line-and-framing and http-rules.md#responses
 *
 * Bare LF, bare CR, obs-fold, NUL and other CTL, a space before a colon, and every ambiguous
 * framing are errors, as soon as the byte that proves it has arrived. A reader that is lenient,
 * as oneport is towards its service, takes what harms nobody because it is written anew: LF as the
 * end of a line, blanks behind the size of a chunk, and a length beside chunks (rules R25, R26). */
#ifndef H2MUX_HTTP_H1_H
#define H2MUX_HTTP_H1_H

#include <sys/types.h>

#include "h2mux/http/message.h"

/* The limits of one head. Rules Q15, Q36. */
struct h1_limits {
    size_t head;   /* bytes of the head */
    size_t fields; /* their number */
    size_t field;  /* bytes of one field line */
    size_t target; /* bytes of the request target */
    bool lenient;  /* LF alone ends a line; of responses alone */
};
extern const struct h1_limits h1_default_limits; /* 32 KiB, 100, 16 KiB, 8 KiB */

/* ---- finding the end of a head */

/* Looks for the end of a head that arrives in pieces. Keeps its place, so that no byte is judged
 * twice. */
struct h1_scan {
    size_t offset; /* bytes judged so far, from the first byte of the head */
    size_t line_start;
    size_t lines;       /* complete lines */
    size_t encoding;    /* bytes by which the target grows when it is encoded; rule Q45 */
    bool cr;            /* the last byte was CR */
    int part;           /* of the line: method, target, version, name, value… */
    size_t part_start;  /* offset of the part's first byte */
    const char *reason; /* static; the fault */
};

/* Judges what has come of a head: @head begins with its first byte, behind the empty line that the
 * caller may have skipped. Returns the head's length with its last empty line, 0 when more bytes
 * are needed, or ERR_SYNTAX, ERR_LIMIT (431), ERR_URI_TOO_LONG (414). */
ssize_t h1_scan_head(struct h1_scan *s, struct slice head, const struct h1_limits *limits,
                     bool request) MUSTCHECK;

/* ---- parsing a head */

/* What delimits a body. */
enum h1_framing { H1_NO_BODY, H1_LENGTH, H1_CHUNKED, H1_UNTIL_CLOSE };

struct h1_result {
    enum h1_framing framing;
    bool keep_alive;    /* the connection may serve another message behind this one */
    const char *reason; /* static: the fault, for the log; NULL on success */
};

/* How a response is read. */
enum h1_asked {
    H1_TO_HEAD = 1, /* it answers HEAD */
    H1_BOTH = 2     /* a length beside chunks does not count, and ends the connection (rule R26) */
};

/* Parse one complete head. @limits NULL: h1_scan_head has judged these bytes and found their end;
 * otherwise they are judged here, so any bytes may be passed. @m is fresh from message_init; its
 * fields borrow from @head.
 *
 * The fields that frame the body are judged and taken out: content-length becomes `length`,
 * transfer-encoding becomes `framing`. Host becomes `authority`. An absolute-form target is split,
 * and its authority must equal Host (rule Q9). `OPTIONS *` has the path "*". Bytes from 0x80 on in
 * path and query are percent-encoded (rule Q45). The scheme stays empty.
 *
 * A request fails with ERR_SYNTAX (400), ERR_VERSION (505), ERR_CODING (501), ERR_LIMIT (431), or
 * ERR_UNSUPPORTED (405) for CONNECT. A response fails with ERR_LIMIT for its size, and with
 * ERR_PROTOCOL for all else that rules R1-R3 answer with 502. @asked has bits of h1_asked. */
int h1_parse_request(struct slice head, const struct h1_limits *limits, struct message *m,
                     struct h1_result *r) MUSTCHECK;
int h1_parse_response(struct slice head, const struct h1_limits *limits, unsigned asked,
                      struct message *m, struct h1_result *r) MUSTCHECK;

/* ---- decoding a body */

/* Decodes one message body that arrives in pieces. */
struct h1_body {
    enum h1_framing framing;
    uint64_t left; /* bytes to come of the length, or of the current chunk */
    int state;
    size_t line;         /* bytes of the current chunk-size line or extension */
    size_t extensions;   /* bytes of all extensions of this body */
    bool done;           /* the message is complete, trailers included */
    bool lenient;        /* as in h1_limits; the owner sets it behind h1_body_init */
    struct buf trailers; /* owned: the raw trailer section while it arrives */
    struct h1_scan scan;
    const char *reason; /* static; the fault */
};

enum { H1_CHUNK_EXT_MAX = 256, H1_BODY_EXT_MAX = 4096, H1_TRAILERS_MAX = 8192 };

void h1_body_init(struct h1_body *b, enum h1_framing framing, int64_t length);
void h1_body_deinit(struct h1_body *b);

/* Consumes bytes of @in and shows at most one run of payload in @out, a slice of @in; it is empty
 * for framing bytes. Returns how many bytes were consumed: the caller calls again with the rest
 * until @in is used up or the body is done. Fails with ERR_SYNTAX or ERR_LIMIT. */
ssize_t h1_body_decode(struct h1_body *b, struct slice in, struct slice *out) MUSTCHECK;

/* Tells that the peer has ended its direction. Returns 0 if that completes the message, or
 * ERR_TRUNCATED if bytes are missing. */
int h1_body_eof(struct h1_body *b) MUSTCHECK;

/* Parses the trailers of a body that is done; the fields borrow from @b. Drops names that are
 * forbidden there. Fails with ERR_SYNTAX. */
int h1_body_trailers(struct h1_body *b, struct fields *out) MUSTCHECK;

/* ---- writing */

/* How a head is written. The writers rebuild it from the message and write nothing that the parser
 * would refuse. Host and Content-Length come from `authority` and `length` (when the framing is
 * H1_LENGTH), Transfer-Encoding from the framing. */
struct h1_write {
    enum h1_framing framing;
    bool upgrade;     /* "Connection: Upgrade"; the Upgrade field is among the fields */
    bool close;       /* "Connection: close" */
    bool keep_alive;  /* "Connection: keep-alive", for viewers of HTTP/1.0 */
    bool te_trailers; /* "TE: trailers" and its Connection option */
};

/* Append a head to @to. Fail with ERR_SYNTAX, or ERR_LIMIT when @to has no room; nothing is written
 * then. */
int h1_write_request(struct buf *to, const struct message *m, const struct h1_write *w) MUSTCHECK;
int h1_write_response(struct buf *to, const struct message *m, const struct h1_write *w) MUSTCHECK;

/* Writes a chunk's size line; the data and a CRLF follow. Returns its length. */
enum { H1_CHUNK_HEAD_MAX = 18 };
size_t h1_chunk_head(char to[static H1_CHUNK_HEAD_MAX], size_t len);

/* Appends the last chunk with @trailers, which may be NULL. Fails as the head writers do. */
int h1_write_last_chunk(struct buf *to, const struct fields *trailers) MUSTCHECK;

/* ---- single values, judged again when they come from HTTP/2 (rule D2) */

/* Returns whether @path begins with '/', or is "*", and has no CTL, SP, DEL, '#' or byte from 0x80
 * on. */
bool h1_target_valid(struct slice path);
/* Returns whether @authority is a reg-name, IPv4 or [IPv6] address with an optional port up to
 * 65535, and no userinfo. */
bool h1_authority_valid(struct slice authority);
/* Returns whether @method is a token of at most 32 bytes. */
bool h1_method_valid(struct slice method);

#endif
