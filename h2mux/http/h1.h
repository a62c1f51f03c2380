/* SPDX-License-Identifier: MIT */
/* h1.h - HTTP/1.1 on the wire, strict: heads and bodies in both directions, no I/O. RFC 9112;
 * http-rules.md#requests-line-and-framing and http-rules.md#responses
 *
 * Bare LF, bare CR, obs-fold, NUL and other CTL, space before a colon, and every ambiguous framing
 * are errors, as soon as the byte that proves it has arrived. */
#ifndef H2MUX_HTTP_H1_H
#define H2MUX_HTTP_H1_H

#include <sys/types.h>

#include <sys/types.h>

#include "h2mux/http/message.h"

struct h1_limits {
    size_t head;   /* bytes of a head, 32 KiB for viewers */
    size_t fields; /* 100 */
    size_t field;  /* one field line, 16 KiB */
    size_t target; /* 8 KiB */
};
extern const struct h1_limits h1_default_limits; /* 32 KiB, 100, 16 KiB, 8 KiB: rules Q15, Q36 */

/* Looks for the end of a head in bytes that arrive bit by bit; keeps where it was, so no byte is
 * looked at twice. */
struct h1_scan {
    size_t offset; /* bytes judged so far, from the first byte of the head */
    size_t line_start;
    size_t lines;       /* complete lines */
    bool cr;            /* the last byte was CR */
    int part;           /* of the line: method, target, version, name, value… */
    size_t part_start;  /* its first byte */
    const char *reason; /* static; what was wrong */
};
/* @head is all that has arrived of it, from its first byte (one leading CRLF before a request was
 * skipped by the caller). > 0: the head's length with its empty line. 0: more is needed.
 * ERR_SYNTAX, ERR_LIMIT (431), ERR_URI_TOO_LONG (414). */
ssize_t h1_scan_head(struct h1_scan *s, struct slice head, const struct h1_limits *limits,
                     bool request) MUSTCHECK;

/* One complete head as h1_scan_head delimited it. @m is fresh from message_init; its fields borrow
 * from @head. What frames the body is judged and taken out: content-length → length,
 * transfer-encoding → @framing, host → authority. @reason: static text that names the fault, for
 * the log. Request: ERR_SYNTAX (400), ERR_VERSION (505), ERR_CODING (501), ERR_LIMIT (431). scheme
 * stays empty; an absolute-form target is split (rule Q9) and its authority must equal Host.
 * `OPTIONS *` has path "*". CONNECT: ERR_UNSUPPORTED (405). Response: ERR_PROTOCOL for all that
 * rules R1-R3 call 502; @to_head: it answers HEAD. */
enum h1_framing { H1_NO_BODY, H1_LENGTH, H1_CHUNKED, H1_UNTIL_CLOSE };
struct h1_result {
    enum h1_framing framing;
    bool keep_alive;    /* what version and Connection say */
    const char *reason; /* NULL on success */
};
/* @limits NULL: h1_scan_head has judged these very bytes and found their end; else they are
 * scanned here, so any bytes will do. */
int h1_parse_request(struct slice head, const struct h1_limits *limits, struct message *m,
                     struct h1_result *r) MUSTCHECK;
int h1_parse_response(struct slice head, const struct h1_limits *limits, bool to_head,
                      struct message *m, struct h1_result *r) MUSTCHECK;

/* Decodes one message body from bytes that arrive bit by bit. */
struct h1_body {
    enum h1_framing framing;
    uint64_t left; /* of the length, or of the current chunk */
    int state;
    size_t line;         /* bytes of the current chunk-size line or extension */
    size_t extensions;   /* of this body in all: at most 4 KiB */
    bool done;           /* the message is complete, trailers included */
    struct buf trailers; /* owned: the raw trailer section while it arrives */
    struct h1_scan scan;
    const char *reason; /* static; what was wrong */
};
enum { H1_CHUNK_EXT_MAX = 256, H1_BODY_EXT_MAX = 4096, H1_TRAILERS_MAX = 8192 };
void h1_body_init(struct h1_body *b, enum h1_framing framing, int64_t length);
void h1_body_deinit(struct h1_body *b);
/* Consumes from @in and shows at most one run of payload in @out (a slice of @in; empty for framing
 * bytes). > 0: bytes consumed; call again with the rest until @in is used up or b->done.
 * ERR_SYNTAX, ERR_LIMIT. */
ssize_t h1_body_decode(struct h1_body *b, struct slice in, struct slice *out) MUSTCHECK;
/* The peer ended its direction: ERR_OK if that completes the message, ERR_TRUNCATED if bytes are
 * missing. */
int h1_body_eof(struct h1_body *b) MUSTCHECK;
/* After done: trailer fields, borrowed from b. Names that are forbidden there are dropped.
 * ERR_SYNTAX. */
int h1_body_trailers(struct h1_body *b, struct fields *out) MUSTCHECK;

/* Writing. Everything is rebuilt from @m; values were validated where they came from. Host and
 * Content-Length are written from authority and length (length known and framing H1_LENGTH),
 * Transfer-Encoding from @framing. */
struct h1_write {
    enum h1_framing framing;
    bool upgrade;     /* "Connection: upgrade" (the Upgrade field is among the fields) */
    bool close;       /* "Connection: close" */
    bool keep_alive;  /* "Connection: keep-alive", for 1.0 viewers */
    bool te_trailers; /* "TE: trailers" and its Connection option */
};
int h1_write_request(struct buf *to, const struct message *m, const struct h1_write *w) MUSTCHECK;
int h1_write_response(struct buf *to, const struct message *m, const struct h1_write *w) MUSTCHECK;
/* "<hex>\r\n"; the data and a CRLF follow. */
enum { H1_CHUNK_HEAD_MAX = 18 };
size_t h1_chunk_head(char to[static H1_CHUNK_HEAD_MAX], size_t len);
/* "0\r\n" trailers "\r\n". */
int h1_write_last_chunk(struct buf *to, const struct fields *trailers) MUSTCHECK;

/* The rules of one target and one authority, used again on what comes out of HTTP/2 (rule D2). */
bool h1_target_valid(struct slice path); /* '/'-led (or "*"), no CTL, SP, DEL, '#', >= 0x80 */
bool h1_authority_valid(
    struct slice authority); /* reg-name, IPv4 or [IPv6], optional port <= 65535; no userinfo */
bool h1_method_valid(struct slice method); /* token, at most 32 bytes */

#endif
