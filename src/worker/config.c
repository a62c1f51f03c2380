/* SPDX-License-Identifier: MIT */
/* config.c - holds the table of oneportd's options, and checks single values; see config.h. */
#include "src/worker/config_int.h"

#include <cjson/cJSON.h>
#include <stddef.h>
#include <stdlib.h>

#include "h2mux/base/err.h"
#include "h2mux/base/inet.h"
#include "h2mux/h2/libraries.h"
#include "h2mux/http/field_name.h"
#include "h2mux/http/fields.h"
#include "h2mux/io/congestion.h"
#include "h2mux/io/sandbox.h"
#include "src/http/trust.h"
#include "src/worker/listen_address.h"

/* The limits of RFC 1035 2.3.4. DOMAIN_MAX leaves room for a tunnel's name and a dot before the
 * domain. */
enum { LABEL_MAX = 63, DOMAIN_MAX = 253 - LABEL_MAX - 1 };

const char config_default_file[] = "/etc/oneport/oneportd.conf";
const char config_default_listen[] = CONFIG_ADDRESS ":" CONFIG_PORT;

/* ---- single values */

static int check_listen(const char *value)
{
    struct listen_addresses addresses;
    return listen_address_parse(value, &addresses);
}

/* Accepts what check_listen accepts, but a unix socket. */
static int check_redirect(const char *value)
{
    return strncmp(value, "unix:", 5) == 0 ? ERR_SYNTAX : check_listen(value);
}

/* Accepts one address: a host would be two. */
static int check_admin(const char *value)
{
    struct listen_addresses addresses;
    int err = listen_address_parse(value, &addresses);
    return err == 0 && addresses.n != 1 ? ERR_SYNTAX : err;
}

/* Accepts a host name. Returns 0, or ERR_SYNTAX for any other text and for an IPv4 address, which
 * cannot have subdomains. */
static int check_domain(const char *value)
{
    struct slice s = slice_str(value);
    union inet address;
    size_t label = 0;
    if (s.len > 0 && s.ptr[s.len - 1] == '.')
        s.len--;
    if (s.len == 0 || s.len > DOMAIN_MAX || inet_parse(AF_INET, s, &address))
        return ERR_SYNTAX;
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        bool dot = c == '.', dash = c == '-', last = i + 1 == s.len || s.ptr[i + 1] == '.';
        bool alnum = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if ((!alnum && !dot && !dash) || (label == 0 && !alnum) || (dash && last))
            return ERR_SYNTAX;
        if (!dot && label == LABEL_MAX)
            return ERR_SYNTAX;
        label = dot ? 0 : label + 1;
    }
    return label > 0 ? 0 : ERR_SYNTAX;
}

/* Accepts a host name or an address. */
static int check_host(struct slice host)
{
    union inet address;
    if (inet_parse_host(host, &address) != AF_UNSPEC)
        return 0;
    char *text = slice_dup(host);
    int err = check_domain(text);
    free(text);
    return err;
}

int base_url_parse(const char *text, struct base_url *out)
{
    struct slice rest = slice_str(text);
    *out = (struct base_url){.https = slice_istarts(rest, SLICE("https://"))};
    if (!out->https && !slice_istarts(rest, SLICE("http://")))
        return ERR_SYNTAX;
    rest = slice_skip(rest, out->https ? 8 : 7);
    if (slice_ends(rest, SLICE("/")))
        rest.len--;
    ptrdiff_t colon = slice_rfind(rest, ':');
    if (colon > slice_rfind(rest, ']')) {
        if (listen_port_parse(slice_skip(rest, (size_t)colon + 1), &out->port) < 0 ||
            out->port == 0)
            return ERR_SYNTAX;
        rest.len = (size_t)colon;
    }
    out->host = rest;
    return check_host(rest);
}

static int check_public_url(const char *value)
{
    struct base_url url;
    return base_url_parse(value, &url);
}

static int check_attach_url(const char *value)
{
    struct base_url url;
    int err = base_url_parse(value, &url);
    return err == 0 && !url.https ? ERR_SYNTAX : err;
}

static int check_cidr(const char *value)
{
    struct trust *t = trust_new();
    int err = t ? trust_add(t, value) : ERR_SYNTAX;
    trust_free(t);
    return err;
}

/* Accepts an http or https URL of printable ASCII, since the URL becomes the value of a Location
 * field. Returns 0, or ERR_SYNTAX for any other text. */
static int check_landing(const char *value)
{
    struct slice s = slice_str(value);
    for (size_t i = 0; i < s.len; i++)
        if (s.ptr[i] <= ' ' || s.ptr[i] > '~')
            return ERR_SYNTAX;
    bool http = slice_istarts(s, SLICE("http://")) && s.len > 7;
    return http || (slice_istarts(s, SLICE("https://")) && s.len > 8) ? 0 : ERR_SYNTAX;
}

static int check_crypto(const char *value)
{
    return strcmp(value, "auto") == 0 || strcmp(value, "openssl") == 0 ? 0 : ERR_SYNTAX;
}

static int check_log_level(const char *value)
{
    enum log_level level;
    return log_level_parse(slice_str(value), &level) ? 0 : ERR_SYNTAX;
}

static int check_log_format(const char *value)
{
    return strcmp(value, "text") == 0 || strcmp(value, "json") == 0 ? 0 : ERR_SYNTAX;
}

static int check_early_hints(const char *value)
{
    struct slice s = slice_str(value);
    bool known =
        slice_eq(s, SLICE("auto")) || slice_eq(s, SLICE("on")) || slice_eq(s, SLICE("off"));
    return known ? 0 : ERR_SYNTAX;
}

static int check_old_clients(const char *value)
{
    return strcmp(value, "leap") == 0 || strcmp(value, "off") == 0 ? 0 : ERR_SYNTAX;
}

static int check_port(const char *value)
{
    uint16_t port;
    return listen_port_parse(slice_str(value), &port);
}

static int check_address(const char *value)
{
    struct slice host = slice_str(value);
    union inet address;
    bool known = slice_eq(host, SLICE("*")) || slice_ieq(host, SLICE("localhost")) ||
                 inet_parse(AF_INET, host, &address) || inet_parse(AF_INET6, host, &address) ||
                 inet_parse_host(host, &address) == AF_INET6;
    return known ? 0 : ERR_SYNTAX;
}

static int check_field_name(const char *value)
{
    return field_name_valid(slice_str(value)) ? 0 : ERR_SYNTAX;
}

/* Accepts a name but those that oneportd writes itself or never sends (rules H7, H19). */
static int check_forward_field(const char *value)
{
    unsigned rules = field_rules(slice_str(value));
    return rules & (FIELD_REWRITTEN | FIELD_NEVER | FIELD_ALIAS) ? ERR_SYNTAX
                                                                 : check_field_name(value);
}

/* Accepts a name but those by which a request is read, routed and passed on, and those that
 * oneportd writes itself: they would be removed in vain, or be missed. */
static int check_drop_field(const char *value)
{
    unsigned rules = field_rules(slice_str(value));
    bool needed = (rules & (FIELD_HOP | FIELD_OBEYED | FIELD_REWRITTEN | FIELD_OURS)) != 0;
    return needed || slice_ieq(slice_str(value), SLICE("via")) ? ERR_SYNTAX
                                                               : check_field_name(value);
}

/* ---- the table */

#define SECOND UINT64_C(1000)
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)
#define FIELD(name) offsetof(struct config, name)

/* clang-format off */
static const struct opt rows[] = {
    {.name = "domain", .letter = 'd', .type = OPT_TEXT, .offset = FIELD(domain), .value = "HOST",
     .help = "base domain, required; tunnels are NAME.HOST",
     .check = check_domain, .wants = "a domain name", .source = FIELD(from.domain)},
    {.name = "config", .type = OPT_TEXT, .offset = FIELD(file), .value = "FILE|none",
     .help = "take options from this file; default: /etc/oneport/oneportd.conf, if it exists", .wants = "a file", .traits = OPT_NO_FILE},
    {.name = "check", .type = OPT_FLAG, .offset = FIELD(check), .traits = OPT_NO_FILE,
     .help = "say whether these options, the certificate, the state directory, DNS and what answers at the domain fit together, and end"},
    {.name = "listen", .type = OPT_LIST, .offset = FIELD(listen.addresses), .fallback = config_default_listen, .value = "[ADDR:]PORT|unix:/PATH",
     .help = "accept viewers, register calls and links here, over TLS or plain; without ADDR, or with *, at all addresses of IPv4 and IPv6",
     .check = check_listen, .wants = "ADDR:PORT, [IPV6]:PORT, *:PORT, localhost:PORT, PORT or unix:/PATH (addresses are numeric)", .beats = "port, address"},
    {.name = "cert", .type = OPT_LIST, .offset = FIELD(listen.certs), .value = "FILE",
     .help = "certificate chain for TLS, PEM; the first one is for connections that ask for no name of another one; read again on SIGHUP", .wants = "a file", .traits = OPT_LIVE},
    {.name = "key", .type = OPT_LIST, .offset = FIELD(listen.keys), .value = "FILE",
     .help = "private key of the certificate, PEM; one for each --cert, in the same order", .wants = "a file", .traits = OPT_LIVE},
    {.name = "cert-dir", .type = OPT_TEXT, .offset = FIELD(listen.cert_dir), .value = "DIR",
     .help = "more certificates: each NAME.pem of this folder has a chain and its key; default.pem is the first one; read again on SIGHUP", .wants = "a folder", .traits = OPT_LIVE},
    {.name = "redirect", .type = OPT_LIST, .offset = FIELD(listen.redirects), .value = "[ADDR:]PORT",
     .help = "answer plain HTTP here by a redirect to https, but for the challenges of --acme-dir; usually :80",
     .check = check_redirect, .wants = "ADDR:PORT, [IPV6]:PORT, *:PORT, localhost:PORT or PORT (addresses are numeric)"},
    {.name = "acme-dir", .type = OPT_TEXT, .offset = FIELD(urls.acme_dir), .value = "DIR",
     .help = "answer /.well-known/acme-challenge/TOKEN of every host with the file TOKEN of this folder", .wants = "a folder"},
    {.name = "hsts", .type = OPT_MSEC, .offset = FIELD(urls.hsts_ms), .fallback = "0", .max = 3650 * DAY,
     .help = "tell browsers, over https, to use nothing but https for this host for so long (Strict-Transport-Security); 0: do not", .traits = OPT_LIVE},
    {.name = "workers", .type = OPT_UINT, .offset = FIELD(workers), .fallback = "0", .min = 0, .max = 256,
     .help = "number of threads, each with its own connections and tunnels; 0: one for each core"},
    {.name = "public-url", .type = OPT_TEXT, .offset = FIELD(urls.public), .value = "SCHEME://HOST[:PORT]",
     .help = "scheme and port of the URLs that clients get; HOST is the domain",
     .check = check_public_url, .wants = "http://HOST[:PORT] or https://HOST[:PORT]", .source = FIELD(from.public)},
    {.name = "attach-url", .type = OPT_TEXT, .offset = FIELD(urls.attach), .value = "https://HOST[:PORT]",
     .help = "clients attach here; default: where they register; a host that is not below it needs --attach-host of oneport",
     .check = check_attach_url, .wants = "https://HOST[:PORT]", .traits = OPT_LIVE},
    {.name = "trusted-proxy", .type = OPT_LIST, .offset = FIELD(listen.trusted_proxy), .value = "CIDR",
     .help = "trust the X-Forwarded-* fields of these addresses, besides loopback and unix sockets",
     .check = check_cidr, .wants = "an address or a network like 10.0.0.0/8"},
    {.name = "accept-proxy", .type = OPT_LIST, .offset = FIELD(listen.accept_proxy), .value = "CIDR",
     .help = "let connections of these addresses name their viewer by a header of the PROXY protocol, which must come",
     .check = check_cidr, .wants = "an address or a network like 10.0.0.0/8"},
    {.name = "forward-field", .type = OPT_LIST, .offset = FIELD(fields.forward), .value = "NAME",
     .help = "pass this field of trusted proxies on, as X-Forwarded-Prefix or CF-Connecting-IP; by default only X-Forwarded-For, -Proto, -Host and -Port count",
     .check = check_forward_field, .wants = "the name of a field, in its usual spelling; X-Forwarded-For, -Proto, -Host and -Port count without this option, and Proxy never passes", .source = FIELD(from.forward)},
    {.name = "drop-field", .type = OPT_LIST, .offset = FIELD(fields.drop), .value = "NAME",
     .help = "remove this field from every request too; always removed: X-Original-URL, X-Rewrite-URL, X-Middleware-Subrequest, X-Accel-Mapping, X-Sendfile-Type, True-Client-IP, CF-Connecting-IP, X-Client-IP, Client-IP",
     .check = check_drop_field, .wants = "the name of a field that no request needs; Host, Via, X-Forwarded-For, the fields of framing, connections and WebSockets stay", .source = FIELD(from.drop)},
    {.name = "landing", .type = OPT_TEXT, .offset = FIELD(urls.landing), .value = "URL",
     .help = "redirect visitors of the base domain here; default: a built-in page",
     .check = check_landing, .wants = "an http:// or https:// URL", .traits = OPT_LIVE},
    {.name = "pages", .type = OPT_TEXT, .offset = FIELD(urls.pages), .value = "DIR",
     .help = "replace the built-in pages by the files of this folder: index.html for the landing page, 404.html and the like for errors, error.html for all other errors", .wants = "a folder"},
    {.name = "state-dir", .type = OPT_TEXT, .offset = FIELD(names.state_dir), .value = "DIR",
     .help = "keep secret and names here (default /var/lib/oneport as root, else $XDG_STATE_HOME/oneportd)",
     .wants = "a folder"},
    {.name = "policies", .type = OPT_TEXT, .offset = FIELD(names.policies), .value = "FILE",
     .help = "policies that tokens name by policy=NAME: who may look at what they share; read again on SIGHUP", .wants = "a file"},
    {.name = "tokens", .type = OPT_TEXT, .offset = FIELD(names.tokens), .value = "FILE",
     .help = "only who has a token of this file may share (oneportd token new makes one); without it everybody may",
     .wants = "a file"},
    {.name = "client-ca", .type = OPT_TEXT, .offset = FIELD(listen.client_ca), .value = "FILE",
     .help = "ask those who come to the base domain for a certificate of these authorities, PEM; its subject's CN is the ID of a token of --tokens",
     .wants = "a file"},
    {.name = "client-id-field", .type = OPT_TEXT, .offset = FIELD(listen.client_id_field), .value = "NAME",
     .help = "field in which a trusted proxy says the CN of a certificate that it has verified; dropped from all requests",
     .check = check_drop_field, .wants = "the name of a field that no request needs"},
    {.name = "user", .type = OPT_TEXT, .offset = FIELD(user), .value = "NAME",
     .help = "when started as root, become this user once ports are bound and keys are read (default: the owner of the state directory)", .wants = "a user"},
    {.name = "sandbox", .type = OPT_TEXT, .offset = FIELD(sandbox), .fallback = "auto", .value = "auto|on|off",
     .help = "give up files, ports and system calls that are not needed to serve; auto: as far as the kernel can; on: or do not start",
     .check = sandbox_mode_check, .wants = "auto, on or off"},
    {.name = "ticket-life", .type = OPT_MSEC, .offset = FIELD(names.ticket_life_ms), .fallback = "30d", .min = SECOND, .max = 3650 * DAY,
     .help = "how long a ticket is valid", .traits = OPT_LIVE},
    {.name = "name-pending", .type = OPT_MSEC, .offset = FIELD(names.pending_ms), .fallback = "60s", .min = 1, .max = DAY,
     .help = "how long a registered name waits for its first link"},
    {.name = "name-grace", .type = OPT_MSEC, .offset = FIELD(names.grace_ms), .fallback = "10m", .max = 30 * DAY,
     .help = "how long a name stays with its owner after its last link has left"},
    {.name = "name-reserve", .type = OPT_MSEC, .offset = FIELD(names.reserve_ms), .fallback = "30d", .max = 3650 * DAY,
     .help = "longest time for which a name is reserved for an owner who keeps its ticket and is away: 100 times as long as it was live; 0: none is"},
    {.name = "hold", .type = OPT_MSEC, .offset = FIELD(names.hold_ms), .fallback = "4s", .max = 5 * MINUTE,
     .help = "how long a request waits for a client that is away", .traits = OPT_LIVE},
    {.name = "keepalive", .type = OPT_MSEC, .offset = FIELD(timeouts.keepalive_ms), .fallback = "15s", .min = 100, .max = DAY,
     .help = "send a PING on a link that has been silent for this long", .traits = OPT_LIVE},
    {.name = "drain-timeout", .type = OPT_MSEC, .offset = FIELD(timeouts.drain_ms), .fallback = "30s", .max = DAY,
     .help = "how long open requests may go on after SIGTERM", .traits = OPT_LIVE},
    {.name = "attach-timeout", .type = OPT_MSEC, .offset = FIELD(timeouts.attach_ms), .fallback = "10s", .min = 1, .max = HOUR,
     .help = "limit for each of a link's TLS handshake, request and first SETTINGS", .traits = OPT_LIVE},
    {.name = "head-timeout", .type = OPT_MSEC, .offset = FIELD(timeouts.head_ms), .fallback = "15s", .min = 1, .max = HOUR,
     .help = "limit for the head of a viewer's request", .traits = OPT_LIVE},
    {.name = "viewer-keepalive", .type = OPT_MSEC, .offset = FIELD(timeouts.viewer_keepalive_ms), .fallback = "75s", .min = 1, .max = DAY,
     .help = "how long a viewer's connection is kept between requests", .traits = OPT_LIVE},
    {.name = "origin-timeout", .type = OPT_MSEC, .offset = FIELD(timeouts.origin_ms), .fallback = "10m", .max = 30 * DAY,
     .help = "limit for the head of a response; 0: no limit", .traits = OPT_LIVE},
    {.name = "idle-timeout", .type = OPT_MSEC, .offset = FIELD(timeouts.idle_ms), .fallback = "10m", .min = 1, .max = 30 * DAY,
     .help = "give up a body that stands still for this long", .traits = OPT_LIVE},
    {.name = "websocket-timeout", .type = OPT_MSEC, .offset = FIELD(timeouts.websocket_ms), .fallback = "1h", .min = 1, .max = 30 * DAY,
     .help = "close a WebSocket that is silent for this long", .traits = OPT_LIVE},
    {.name = "peer-timeout", .type = OPT_MSEC, .offset = FIELD(timeouts.peer_ms), .fallback = "30s", .max = DAY,
     .help = "give up a viewer whose machine acknowledges nothing for this long; 0: never", .traits = OPT_LIVE},
    {.name = "max-streams", .type = OPT_UINT, .offset = FIELD(limits.streams), .fallback = "20000", .min = 1, .max = 1000000,
     .help = "most requests and WebSockets on one link at one time"},
    {.name = "viewer-streams", .type = OPT_UINT, .offset = FIELD(limits.viewer_streams), .fallback = "100", .min = 1, .max = 100000,
     .help = "most requests on one HTTP/2 connection of a viewer at one time", .traits = OPT_LIVE},
    {.name = "max-links", .type = OPT_UINT, .offset = FIELD(limits.links), .fallback = "4", .min = 1, .max = 64,
     .help = "most links of one name at one time", .traits = OPT_LIVE},
    {.name = "max-tunnels-per-address", .type = OPT_UINT, .offset = FIELD(limits.tunnels), .fallback = "50", .max = 20000,
     .help = "most names of one address at one time; 0: no limit"},
    {.name = "viewer-rate", .type = OPT_UINT, .offset = FIELD(limits.viewer_rate), .fallback = "0", .max = 1000000,
     .help = "most requests per second of a viewer's address to a tunnel, ten times as many at once; 0: no limit"},
    {.name = "register-rate", .type = OPT_UINT, .offset = FIELD(limits.register_rate), .fallback = "60", .max = 1000000,
     .help = "most new names per minute for one address, twice as many at once; 0: no limit"},
    {.name = "max-handshakes", .type = OPT_UINT, .offset = FIELD(limits.handshakes), .fallback = "512", .min = 8, .max = 1000000,
     .help = "most unfinished TLS handshakes; the network with the most gives up its oldest for a newcomer"},
    {.name = "max-body", .type = OPT_SIZE, .offset = FIELD(limits.body), .fallback = "0", .max = INT64_MAX,
     .help = "largest request body; 0: no limit", .traits = OPT_LIVE},
    {.name = "memory-budget", .type = OPT_SIZE, .offset = FIELD(limits.memory), .min = 1 << 20, .max = INT64_MAX / 4,
     .help = "most memory for bodies of all clients; 32m of it for one link (default 512m, or half of the limit of the control group or address space)"},
    {.name = "line-rate", .type = OPT_RATE, .offset = FIELD(limits.line_rate), .fallback = "1g", .min = 64000, .max = 1000000000000, .value = "RATE",
     .help = "rate of the lines to clients, as far as oneportd has to guess: answers begin with the window that this rate needs for a round trip, 4m at most"},
    {.name = "congestion", .type = OPT_TEXT, .offset = FIELD(limits.congestion), .value = "NAME",
     .help = "congestion control of TCP for what goes to clients, as cubic or bbr; behind a proxy it governs nothing beyond the proxy; default: the system's",
     .check = congestion_check, .wants = "a name of net.ipv4.tcp_available_congestion_control"},
    {.name = "stall-timeout", .type = OPT_MSEC, .offset = FIELD(timeouts.stall_ms), .fallback = "10s", .min = 1, .max = DAY,
     .help = "when 3/4 of the memory is used, cut streams that have taken nothing for this long, the longest first"},
    {.name = "early-hints", .type = OPT_TEXT, .offset = FIELD(early_hints), .fallback = "auto", .value = "auto|on|off",
     .help = "send 103 and other interim responses to viewers; auto: not through proxies, many of which take one for the answer",
     .check = check_early_hints, .wants = "auto, on or off", .traits = OPT_LIVE},
    {.name = "old-clients", .type = OPT_TEXT, .offset = FIELD(old.served), .fallback = "leap", .value = "leap|off",
     .help = "clients of older servers to serve; leap: wave share of H2O Wave 1.0 and later; all others are told to use oneport",
     .check = check_old_clients, .wants = "leap or off", .traits = OPT_LIVE},
    {.name = "leap-connections", .type = OPT_UINT, .offset = FIELD(old.connections), .fallback = "32", .min = 1, .max = 1000000,
     .help = "sockets that wave share opens, each of which carries one request or WebSocket at a time", .beats = "max-sockets", .traits = OPT_LIVE},
    {.name = "crypto", .type = OPT_TEXT, .offset = FIELD(crypto), .fallback = "auto", .value = "auto|openssl",
     .help = "who encrypts TLS records; auto: ipsec-mb in a build that has it, where the machine can use it",
     .check = check_crypto, .wants = "auto or openssl"},
    {.name = "log-level", .type = OPT_TEXT, .offset = FIELD(log.level), .fallback = "info", .value = "error|warn|info|debug",
     .help = "least severe level that is logged", .check = check_log_level, .wants = "error, warn, info or debug", .traits = OPT_LIVE},
    {.name = "log-format", .type = OPT_TEXT, .offset = FIELD(log.format), .fallback = "text", .value = "text|json",
     .help = "format of both logs", .check = check_log_format, .wants = "text or json"},
    {.name = "access-log", .type = OPT_TEXT, .offset = FIELD(log.access), .fallback = "-", .value = "FILE|-|off",
     .help = "write a line for each request; -: standard output; opened again on SIGUSR1", .wants = "a file, - or off"},
    {.name = "admin", .type = OPT_TEXT, .offset = FIELD(admin.listen), .value = "unix:/PATH|ADDR:PORT",
     .help = "serve the board here: lists tunnels and viewers, ends them, tells metrics", .check = check_admin, .wants = "unix:/PATH or ADDR:PORT"},
    {.name = "admin-token", .type = OPT_TEXT, .offset = FIELD(admin.token), .value = "FILE",
     .help = "the token that opens the board at ADDR:PORT; a unix socket needs none", .wants = "a file"},
    {.name = "port", .letter = 'p', .type = OPT_TEXT, .offset = FIELD(localtunnel.port), .value = "PORT",
     .help = "port to listen on, as in localtunnel", .check = check_port, .wants = "a port", .beats = "listen"},
    {.name = "address", .type = OPT_TEXT, .offset = FIELD(localtunnel.address), .value = "ADDR",
     .help = "address to listen on, as in localtunnel", .check = check_address, .wants = "a numeric address, * or localhost", .beats = "listen"},
    {.name = "secure", .type = OPT_FLAG, .offset = FIELD(localtunnel.secure),
     .help = "https in URLs, as in localtunnel", .source = FIELD(from.secure)},
    {.name = "max-sockets", .type = OPT_UINT, .offset = FIELD(localtunnel.max_sockets), .min = 1, .max = 1000000,
     .help = "the same as --leap-connections, as in localtunnel", .beats = "leap-connections", .traits = OPT_LIVE},
    {.name = NULL},
};
/* clang-format on */

static void show_libraries(void)
{
    libraries_print(cJSON_Version());
}

/* Reads the configuration file. */
static bool find_layers(void *into, struct opt_layers *out)
{
    struct config *c = into;
    char why[CONF_WHY_MAX];
    if (c->file && strcmp(c->file, "none") == 0)
        return true;
    int err = conf_read(c->file ? c->file : config_default_file, &c->conf, why);
    if (err == ERR_NOT_FOUND && !c->file)
        return true;
    if (err < 0)
        opt_say("oneportd", "%s", why);
    if (err < 0 || !opt_judge_conf(&config_program, c->conf, NULL))
        return false;
    if (!c->file)
        c->file = config_default_file;
    out->layer[out->count++] = (struct opt_layer){c->conf, ""};
    return true;
}

const struct opt_program config_program = {
    .commands = "ctl, names, token",
    .find_layers = find_layers,
    .show_libraries = show_libraries,
    .name = "oneportd",
    .env_prefix = "ONEPORTD_",
    .usage = "oneportd --domain HOST [OPTIONS]",
    .about = "Public server of oneport: shares what runs on people's machines under NAME.HOST.",
    .epilogue =
        "oneportd names list | release NAME shows the names that are held and reserved, or "
        "releases one.\noneportd token new ID | list | revoke ID | check says who may share.\n"
        "oneportd ctl tunnels | viewers | kick | ... asks the board of a running server.",
    .rows = rows,
};

enum opt_result config_parse(int argc, char **argv, struct config *c)
{
    *c = (struct config){.argc = argc, .argv = argv};
    enum opt_result result = opt_parse(&config_program, argc, argv, c, NULL, 0, NULL);
    if (result == OPT_RUN && !config_fold(c))
        result = OPT_WRONG;
    return result;
}

void config_log_foreign(void)
{
    char name[OPT_LABEL_MAX];
    const char *value;
    for (size_t at = 0; (value = opt_next_foreign(&config_program, &at, name));)
        LOG(INFO, "environment_ignored", LOG_STR("name", name), LOG_STR("value", value));
}

void config_deinit(struct config *c)
{
    for (size_t i = 0; i < sizeof c->owned / sizeof c->owned[0]; i++)
        free(c->owned[i]);
    free(c->listen.addresses.copy);
    free(c->listen.redirects.copy);
    free(c->listen.certs.copy);
    free(c->listen.keys.copy);
    free(c->listen.trusted_proxy.copy);
    free(c->listen.accept_proxy.copy);
    free(c->fields.drop.copy);
    free(c->fields.forward.copy);
    conf_free(c->conf);
    *c = (struct config){0};
}
