/* SPDX-License-Identifier: MIT */
/* err.h - lists the error codes of all functions: 0 is success, errors are negative. */
#ifndef H2MUX_BASE_ERR_H
#define H2MUX_BASE_ERR_H

#include <stdbool.h>

#define ERR_TABLE(X)                                                                               \
    X(ERR_AGAIN, -1, "would block")                                                                \
    X(ERR_SYNTAX, -2, "malformed")                                                                 \
    X(ERR_LIMIT, -3, "too large")                                                                  \
    X(ERR_CLOSED, -4, "already closed")                                                            \
    X(ERR_IO, -5, "input/output error")                                                            \
    X(ERR_EOF, -6, "connection closed by the peer")                                                \
    X(ERR_TRUNCATED, -7, "connection cut off")                                                     \
    X(ERR_TLS, -8, "TLS failure")                                                                  \
    X(ERR_CERT, -9, "certificate refused")                                                         \
    X(ERR_REFUSED, -10, "connection refused")                                                      \
    X(ERR_TIMEOUT, -11, "timed out")                                                               \
    X(ERR_RESET, -12, "reset by the peer")                                                         \
    X(ERR_PROTOCOL, -13, "protocol error")                                                         \
    X(ERR_UNSUPPORTED, -14, "not supported")                                                       \
    X(ERR_VERSION, -15, "HTTP version not supported")                                              \
    X(ERR_URI_TOO_LONG, -16, "request target too long")                                            \
    X(ERR_CODING, -17, "transfer coding unknown or malformed")                                     \
    X(ERR_NOT_FOUND, -18, "not found")                                                             \
    X(ERR_TAKEN, -19, "taken")                                                                     \
    X(ERR_EXPIRED, -20, "expired")                                                                 \
    X(ERR_DENIED, -21, "not permitted")                                                            \
    X(ERR_DNS, -22, "name not resolved")                                                           \
    X(ERR_LINK_LOST, -23, "link lost")                                                             \
    X(ERR_STALLED, -24, "no progress")                                                             \
    X(ERR_ABUSE, -25, "budget spent")                                                              \
    X(ERR_SHORT, -26, "out of descriptors, ports or memory")                                       \
    X(ERR_UNREACHABLE, -27, "no route to the address")                                             \
    X(ERR_GONE, -28, "the peer is gone")

#define ERR_ENUM(name, value, text) name = value,
enum err { ERR_OK = 0, ERR_TABLE(ERR_ENUM) };
#undef ERR_ENUM

/* Returns the text of @err, in lower case and without a full stop. The text is static. */
const char *err_text(int err);

/* Returns whether errno @e says that this machine lacks descriptors, memory or ports for the
 * moment.
 */
bool errno_is_shortage(int e);

#endif
