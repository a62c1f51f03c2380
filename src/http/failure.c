/* SPDX-License-Identifier: MIT */
/* failure.c - holds the table of failures; see failure.h. */
#include "src/http/failure.h"

#include <assert.h>

#include "h2mux/base/err.h"

static const struct failure_row failures[] = {
    [FAIL_BAD_REQUEST] = {400, 0, "http_request_error", "Bad request",
                          "The request does not follow the rules of HTTP."},
    [FAIL_METHOD] = {405, 0, "http_request_error", "Method not allowed",
                     "This method is not available here."},
    [FAIL_REQUEST_TIMEOUT] = {408, 0, "http_request_error", "Request timeout",
                              "The request did not arrive in time."},
    [FAIL_BODY_TOO_LARGE] = {413, 0, "http_request_error", "Content too large",
                             "The request is larger than this server accepts."},
    [FAIL_URI_TOO_LONG] = {414, 0, "http_request_error", "Address too long",
                           "The address is longer than this server accepts."},
    [FAIL_EXPECTATION] = {417, 0, "http_request_error", "Expectation failed",
                          "The request expects something that this server does not know."},
    [FAIL_MISDIRECTED] = {421, 0, "http_request_error", "Misdirected request",
                          "This address is served by another connection. Please try again."},
    [FAIL_UPGRADE_VERSION] = {426, 0, "http_request_error", "Upgrade required",
                              "Only version 13 of the WebSocket protocol is supported."},
    [FAIL_TOO_MANY_ABORTS] = {429, 1, "http_request_error", "Too many requests",
                              "Too many requests from this address were given up before they "
                              "were answered. Please try again in a moment."},
    [FAIL_TOO_MANY_REQUESTS] = {429, 1, "http_request_error", "Too many requests",
                                "This address asks more often than this server allows. Please try "
                                "again in a moment."},
    [FAIL_SIGN_IN] = {401, 0, "http_1_1_required", "Sign in over HTTP/1.1",
                      "This sign-in counts for a connection, so it needs HTTP/1.1."},
    [FAIL_BARRED] = {403, 0, "http_request_denied", "Not for you",
                     "The operator of this server has shut this address out, or this name."},
    [FAIL_LOGIN] = {401, 0, "http_request_denied", "Please sign in",
                    "Whoever shares this address asks for a name and a password."},
    [FAIL_KEY] = {403, 0, "http_request_denied", "Please use your link",
                  "Whoever shares this address has sent links to those who may look. This was none "
                  "of them, or its time is over, or it was used already."},
    [FAIL_FOREIGN] = {403, 0, "http_request_denied", "Not from another site",
                      "A page of another site has sent this request. It may not act for people who "
                      "have signed in here."},
    [FAIL_NOT_ALLOWED] = {403, 0, "http_request_denied", "Not from your network",
                          "Whoever shares this address has chosen from which networks it may be "
                          "seen, and yours is none of them."},
    [FAIL_OVER] = {410, 0, "destination_not_found", "This is over",
                   "This address was shared for a limited time, which is over."},
    [FAIL_NO_SEAT] = {503, 3, "connection_limit_reached", "Please wait for your turn",
                      "As many people look at this as may at one time. This page opens by itself "
                      "when it is your turn, in the order in which people came."},
    [FAIL_HEAD_TOO_LARGE] = {431, 0, "http_request_error", "Request header fields too large",
                             "The request's header is larger than this server accepts."},
    [FAIL_CODING] = {501, 0, "http_request_error", "Not implemented",
                     "The request uses a transfer coding that this server does not know."},
    [FAIL_NO_WEBSOCKETS] = {501, 0, "http_upgrade_failed", "No WebSockets here",
                            "The program that shares this address cannot carry WebSockets."},
    [FAIL_VERSION] = {505, 0, "http_request_error", "HTTP version not supported",
                      "This server speaks HTTP/1.1 and HTTP/1.0 only."},
    [FAIL_LOOP] = {508, 0, "proxy_loop_detected", "Loop detected",
                   "The request came back to a server that had passed it on."},
    [FAIL_NO_TUNNEL] = {404, 0, "destination_not_found", "Nothing is shared here",
                        "There is no tunnel of this name. Perhaps it was closed, or the address "
                        "has a typing mistake."},
    [FAIL_NOT_FOUND] = {404, 0, "", "Not found", "There is nothing at this address."},
    [FAIL_AWAY] = {503, 2, "destination_unavailable", "Away for a moment",
                   "The computer that shares this address is not connected at the moment."},
    [FAIL_BUSY] = {503, 1, "connection_limit_reached", "Too many requests at once",
                   "This tunnel carries as many requests as it can. Please try again."},
    [FAIL_SOCKETS] = {503, 1, "connection_limit_reached", "Too many requests at once",
                      "The program that shares this address has a socket for each request, and "
                      "all of them are in use. Please try again."},
    [FAIL_DRAINING] = {503, 2, "destination_unavailable", "Restarting",
                       "This server is about to restart. Please try again in a moment."},
    [FAIL_REFUSED] = {502, 0, "connection_refused", "The app is restarting",
                      "The computer that shares this address is there, but the app on it accepts "
                      "no connections yet: it is being restarted, or was not started."},
    [FAIL_TERMINATED] = {502, 0, "connection_terminated", "The connection broke",
                         "The connection to the shared service ended before it had answered."},
    [FAIL_PROTOCOL] = {502, 0, "http_protocol_error", "The service's answer is broken",
                       "The shared service answered with something that is not valid HTTP."},
    [FAIL_INCOMPLETE] = {502, 0, "http_response_incomplete", "The service's answer is incomplete",
                         "The shared service broke off before its answer was complete."},
    [FAIL_RESPONSE_CODING] = {502, 0, "http_response_transfer_coding",
                              "The service's answer is broken",
                              "The shared service sent a body whose chunks cannot be read."},
    [FAIL_RESPONSE_HEAD] = {502, 0, "http_response_header_section_size",
                            "The service's answer is too large",
                            "The header of the shared service's answer is too large."},
    [FAIL_UPGRADE] = {502, 0, "http_upgrade_failed", "The service refused the upgrade",
                      "The shared service did not complete the WebSocket handshake."},
    [FAIL_DNS] = {502, 0, "dns_error", "The service was not found",
                  "The name of the shared service could not be resolved."},
    [FAIL_UNROUTABLE] = {502, 0, "destination_ip_unroutable", "No way to the service",
                         "The computer that shares this address has no network route to the "
                         "shared service."},
    [FAIL_PROHIBITED] = {502, 0, "destination_ip_prohibited", "The way to the service is barred",
                         "A rule of the computer that shares this address forbids connections to "
                         "the shared service."},
    [FAIL_ORIGIN_LIMIT] = {503, 1, "connection_limit_reached", "Too many connections at once",
                           "The computer that shares this address cannot open more connections "
                           "to the shared service. Please try again."},
    [FAIL_TLS] = {502, 0, "tls_alert_received", "No secure connection to the service",
                  "The TLS connection to the shared service could not be made."},
    [FAIL_CONNECT_TIMEOUT] = {504, 0, "connection_timeout", "The service cannot be reached",
                              "The shared service did not accept the connection in time."},
    [FAIL_RESPONSE_TIMEOUT] = {504, 0, "http_response_timeout", "The service does not answer",
                               "The shared service did not answer in time."},
};

const struct failure_row *failure_row(enum failure why)
{
    assert((size_t)why < sizeof failures / sizeof failures[0]);
    return &failures[why];
}

int failure_status(enum failure why)
{
    return failure_row(why)->status;
}

const char *failure_type(enum failure why)
{
    return failure_row(why)->type;
}

bool failure_of_head(int err, enum failure *why)
{
    static const struct {
        int err;
        enum failure why;
    } table[] = {
        {ERR_SYNTAX, FAIL_BAD_REQUEST},
        {ERR_LIMIT, FAIL_HEAD_TOO_LARGE},
        {ERR_URI_TOO_LONG, FAIL_URI_TOO_LONG},
        {ERR_VERSION, FAIL_VERSION},
        {ERR_CODING, FAIL_CODING},
        {ERR_UNSUPPORTED, FAIL_METHOD},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (table[i].err == err) {
            *why = table[i].why;
            return true;
        }
    return false;
}

enum failure failure_from_client(int status, struct slice type)
{
    if (status == 501 && slice_eq(type, SLICE("http_upgrade_failed")))
        return FAIL_NO_WEBSOCKETS;
    if (status != 200 && (status < 502 || status > 504)) /* 200: of a call of gRPC */
        return FAIL_PROTOCOL;
    for (enum failure why = FAIL_REFUSED; why <= FAIL_RESPONSE_TIMEOUT; why++)
        if (slice_eq(type, slice_str(failure_type(why))))
            return why;
    /* RFC 9209 2.3.14 and the sections after it define more types that begin with "tls_". */
    if (slice_starts(type, SLICE("tls_")))
        return FAIL_TLS;
    return FAIL_PROTOCOL;
}
