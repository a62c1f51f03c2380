/* SPDX-License-Identifier: MIT */
/* config.c - see config.h. An option exists in its row of the table and nowhere else. */
#include "client/config_int.h"

#include <cjson/cJSON.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include "client/qr.h"
#include "client/server/reach.h"
#include "h2mux/base/err.h"
#include "h2mux/base/inet.h"
#include "h2mux/h2/libraries.h"
#include "h2mux/http/h1.h"
#include "h2mux/io/congestion.h"
#include "h2mux/io/sandbox.h"

#define FIELD(member) .offset = offsetof(struct config, member)

enum { DAY_MS = 24 * 3600 * 1000, LINKS_MAX = 16 };

static const char machine_file[] = "/etc/oneport/config";

/* The name becomes a part of a path. The server decides whether it may be used. */
static int check_subdomain(const char *value)
{
    static const char fit[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.~";
    size_t len = strlen(value);
    return len > 0 && len <= 63 && strspn(value, fit) == len ? 0 : ERR_SYNTAX;
}

static int check_domain_name(const char *value)
{
    static const char fit[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.";
    size_t len = strlen(value);
    return len <= 253 && strspn(value, fit) == len && strchr(value, '.') ? 0 : ERR_SYNTAX;
}

static int check_attach_host(const char *value)
{
    return reach_host_valid(value) ? 0 : ERR_SYNTAX;
}

static int check_host_header(const char *value)
{
    struct rewrite w;
    return rewrite_parse(value, &w);
}

static int check_name(const char *value)
{
    struct url u;
    return config_parse_name(value, &u);
}

static int check_reuse(const char *value)
{
    enum reuse_policy policy;
    return reuse_parse(value, &policy);
}

static int check_health(const char *value)
{
    return value[0] == '/' && h1_target_valid(slice_str(value)) ? 0 : ERR_SYNTAX;
}

static int check_crypto(const char *value)
{
    return strcmp(value, "auto") == 0 || strcmp(value, "openssl") == 0 ? 0 : ERR_SYNTAX;
}

static int check_login(const char *value)
{
    enum login_policy policy;
    return login_parse(value, &policy);
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

static const struct opt rows[] = {
    {"port", 'p', OPT_UINT, FIELD(local.port), .min = 1, .max = 65535, .value = "PORT",
     .help = "local port to share", .beats = "origin"},
    {"origin", 0, OPT_TEXT, FIELD(local.origin), .value = "ORIGIN",
     .help = "what to share, written as after the options: PORT, HOST:PORT, http(s)://HOST[:PORT], "
             "h2c://HOST[:PORT] or https+h2://HOST[:PORT] (a service that speaks HTTP/2, as gRPC "
             "does), or unix:/PATH",
     .beats = "port", .source = offsetof(struct config, origin_from)},
    {"config", 0, OPT_TEXT, FIELD(file), .value = "FILE|none",
     .help = "take options from this file; default: oneport/config under $XDG_CONFIG_HOME or "
             "~/.config, then /etc/oneport/config",
     .traits = OPT_NO_FILE},
    {"host", 'h', OPT_TEXT, FIELD(remote.host), .value = "URL",
     .help = "share through this server, as example.com or https://example.com:8443"},
    {"attach-host", 0, OPT_LIST, FIELD(remote.attach_hosts), .value = "HOST",
     .help = "let the server send oneport to this host too, besides its own and names below it; an "
             "address is dialled even if it is private",
     .check = check_attach_host, .wants = "a host without a port"},
    {"subdomain", 's', OPT_TEXT, FIELD(remote.name), .value = "NAME",
     .help = "ask for this name: https://NAME.example.com", .check = check_subdomain,
     .wants = "letters, digits and hyphens, at most 63"},
    {"local-host", 'l', OPT_TEXT, FIELD(local.host), .fallback = "localhost", .value = "HOST",
     .help = "host of the local port"},
    {"local-https", 0, OPT_FLAG, FIELD(local.https), .help = "the local service speaks TLS",
     .source = offsetof(struct config, https_from)},
    {"local-cert", 0, OPT_TEXT, FIELD(local.cert), .value = "FILE",
     .help = "client certificate for the local service, PEM", .beats = "local-key"},
    {"local-key", 0, OPT_TEXT, FIELD(local.key), .value = "FILE",
     .help = "key of the client certificate, PEM"},
    {"local-ca", 0, OPT_TEXT, FIELD(local.ca), .value = "FILE",
     .help = "authority that signed the local service's certificate, PEM",
     .beats = "allow-invalid-cert"},
    {"allow-invalid-cert", 0, OPT_FLAG, FIELD(local.any_cert),
     .help = "do not verify the local service's certificate, and accept TLS as old as 1.0"},
    {"local-name", 0, OPT_TEXT, FIELD(local.name), .value = "NAME",
     .help = "name that the local service's certificate must have, and that it is asked for (SNI); "
             "default: the host of --host-header VALUE, else that of the service's address",
     .check = check_name, .wants = "a name or an address without port"},
    {"open", 'o', OPT_FLAG, FIELD(output.open), .help = "open the URL in a browser",
     .traits = OPT_AT_TOP},
    {"print-requests", 0, OPT_FLAG, FIELD(output.requests),
     .help = "print plain lines, one for each request, on a terminal too", .traits = OPT_AT_TOP},
    {"json", 0, OPT_FLAG, FIELD(output.json),
     .help = "print the URL, changes of the state and requests as JSON, an object a line",
     .beats = "print-requests", .traits = OPT_AT_TOP},
    {"url-file", 0, OPT_TEXT, FIELD(output.url_file), .value = "FILE",
     .help = "write the URL to this file each time that it is another one"},
    {"qr", 0, OPT_FLAG, FIELD(output.qr), .help = "print the URL as a QR code",
     .traits = OPT_AT_TOP},
    {"host-header", 0, OPT_TEXT, FIELD(local.host_header), .fallback = "auto",
     .value = "auto|keep|rewrite|VALUE",
     .help = "Host that the local service sees: keep the viewer's, rewrite to its own (also in "
             "Origin, Referer, Location and cookies), or VALUE; auto keeps until the service "
             "refuses that name and serves its own",
     .check = check_host_header, .wants = "auto, keep, rewrite or HOST[:PORT]"},
    {"health", 0, OPT_TEXT, FIELD(local.health), .value = "PATH",
     .help = "ask the local service for this path every 5 s, and show whether it answers",
     .check = check_health, .wants = "a path that begins with a slash"},
    {"ca", 0, OPT_TEXT, FIELD(remote.ca), .value = "FILE",
     .help = "authorities that may sign the server's certificate, besides the system's, PEM",
     .beats = "insecure"},
    {"insecure", 0, OPT_FLAG, FIELD(remote.any_cert),
     .help = "do not verify the server's certificate"},
    {"proxy", 0, OPT_TEXT, FIELD(remote.proxy), .value = "URL",
     .help = "go to the server by http://[USER:PASSWORD@]HOST:PORT or socks5h://..., or by none; "
             "default: HTTPS_PROXY, but for the hosts of NO_PROXY"},
    {"links", 0, OPT_UINT, FIELD(remote.links), .fallback = "1", .min = 1, .max = LINKS_MAX,
     .value = "N",
     .help = "number of connections to the server, which may allow fewer; a request takes the "
             "least busy one"},
    {"max-streams", 0, OPT_UINT, FIELD(remote.max_streams), .fallback = "20000", .min = 1,
     .max = 1000000, .value = "N",
     .help = "most requests and WebSockets on each connection at one time"},
    {"memory-budget", 0, OPT_SIZE, FIELD(memory_budget), .fallback = "512m", .min = 1 << 20,
     .max = INT64_MAX / 4, .value = "SIZE",
     .help = "most memory for uploads to the local service; 32m of it for one connection to the "
             "server",
     .traits = OPT_AT_TOP},
    {"stall-timeout", 0, OPT_MSEC, FIELD(times.stall_ms), .fallback = "10s", .min = 1,
     .max = DAY_MS, .value = "T",
     .help =
         "when 3/4 of the memory is used, cut uploads of which nothing was taken for this long"},
    {"line-rate", 0, OPT_RATE, FIELD(remote.line_rate), .fallback = "1g", .min = 64000,
     .max = 1000000000000, .value = "RATE",
     .help = "rate of the line to the server, as far as oneport has to guess: uploads begin with "
             "the window that this rate needs for a round trip, 4m at most"},
    {"congestion", 0, OPT_TEXT, FIELD(remote.congestion), .value = "NAME",
     .help = "congestion control of TCP for what goes to the server, as cubic or bbr; default: the "
             "system's",
     .check = congestion_check, .wants = "a name of net.ipv4.tcp_available_congestion_control"},
    {"max-retries", 0, OPT_UINT, FIELD(remote.max_retries), .value = "N",
     .help = "give up after N failed retries in a row while no connection is up; 0: never; without "
             "this option only a first connection that fails for 15 s is given up",
     .source = offsetof(struct config, retries_from)},
    {"ticket-file", 0, OPT_TEXT, FIELD(remote.ticket_file), .value = "FILE",
     .help = "keep the tickets of names here; default: oneport/tickets.json under $XDG_STATE_HOME "
             "or ~/.local/state"},
    {"domain-name", 0, OPT_TEXT, FIELD(remote.domain), .value = "HOST",
     .help = "share under this domain of your own too, as app.example.org, which the server's "
             "operator permits by your token",
     .check = check_domain_name, .wants = "the name of a host"},
    {"cert", 0, OPT_TEXT, FIELD(remote.cert), .value = "FILE",
     .help = "client certificate for the server, PEM, in place of a token or beside it",
     .beats = "key"},
    {"key", 0, OPT_TEXT, FIELD(remote.key), .value = "FILE",
     .help = "key of the client certificate for the server, PEM"},
    {"token", 0, OPT_TEXT, FIELD(remote.token), .value = "TOKEN",
     .help = "the token that the server wants", .check = config_check_token,
     .wants = "a token: 16 to 256 letters, digits and -._~+/=",
     .source = offsetof(struct config, token_from), .traits = OPT_SECRET},
    {"token-file", 0, OPT_TEXT, FIELD(remote.token_file), .value = "FILE",
     .help = "take the token that the server wants from the first line of this file; or "
             "ONEPORT_TOKEN in "
             "the environment, or token = TOKEN in the configuration file",
     .wants = "a file", .source = offsetof(struct config, token_file_from)},
    {"allow", 0, OPT_LIST, FIELD(policy.allow), .value = "CIDR",
     .help = "only viewers of these networks may look, as 192.0.2.0/24",
     .check = policy_check_network, .wants = "an address or a network like 192.0.2.0/24"},
    {"deny", 0, OPT_LIST, FIELD(policy.deny), .value = "CIDR",
     .help = "viewers of these networks may not look", .check = policy_check_network,
     .wants = "an address or a network like 192.0.2.0/24"},
    {"auth", 0, OPT_LIST, FIELD(policy.auth), .value = "NAME:PASSWORD",
     .help =
         "viewers have to sign in; the password is hashed here, and overwritten in what ps shows",
     .check = users_check, .wants = "NAME:PASSWORD, of at most 128 characters each",
     .traits = OPT_VEILED | OPT_LINES},
    {"auth-file", 0, OPT_TEXT, FIELD(policy.auth_file), .value = "FILE",
     .help =
         "viewers have to sign in as one of this file: NAME:HASH a line, as `htpasswd -B` writes "
         "it",
     .wants = "a file"},
    {"share-key", 0, OPT_LIST, FIELD(policy.keys), .value = "NAME[:TIME[:USES]]",
     .help = "print a link that lets its holder in without a password, until TIME is over and USES "
             "times",
     .check = share_keys_check, .wants = "a name, a time and a number, as ann:2h:1"},
    {"public-path", 0, OPT_LIST, FIELD(policy.public), .value = "PATH",
     .help = "nobody has to sign in for this path, or below it if it ends with a slash",
     .check = policy_check_path, .wants = "a path of letters, digits and -_~./"},
    {"cors", 0, OPT_FLAG, FIELD(policy.cors),
     .help =
         "let pages of other sites act for those who have signed in, as far as the service does"},
    {"expires", 0, OPT_MSEC, FIELD(policy.expires_ms), .fallback = "0", .max = 3650ULL * DAY_MS,
     .value = "T", .help = "end after this time; whoever looks later gets 410; 0: never"},
    {"rate", 0, OPT_UINT, FIELD(policy.rate), .fallback = "0", .max = 1000000, .value = "N",
     .help = "most requests per second of a viewer's address, ten times as many at once; 0: no "
             "limit"},
    {"viewer-limit", 0, OPT_UINT, FIELD(policy.viewers), .fallback = "0", .max = 1000, .value = "N",
     .help = "most viewers at a time, by their addresses; others wait for their turn; 0: no limit"},
    {"header-add", 0, OPT_LIST, FIELD(policy.header_add), .value = "[request|response] NAME: VALUE",
     .help = "set this field in what the service gets, in what viewers get, or in both",
     .check = policy_check_add, .wants = "NAME: VALUE, with request or response in front or not"},
    {"header-remove", 0, OPT_LIST, FIELD(policy.header_remove), .value = "[request|response] NAME",
     .help = "remove this field, likewise", .check = policy_check_remove,
     .wants = "the name of a field, with request or response in front or not"},
    {"keepalive", 0, OPT_MSEC, FIELD(times.keepalive_ms), .fallback = "15s", .max = DAY_MS,
     .value = "T", .help = "send a PING when the server has been silent for this long; 0: never"},
    {"server-timeout", 0, OPT_MSEC, FIELD(times.server_ms), .fallback = "10s", .min = 1,
     .max = DAY_MS, .value = "T",
     .help = "limit for dialling the server and for its answers to register and attach"},
    {"connect-timeout", 0, OPT_MSEC, FIELD(times.connect_ms), .fallback = "5s", .min = 1,
     .max = DAY_MS, .value = "T", .help = "limit for connecting to the local service"},
    {"origin-timeout", 0, OPT_MSEC, FIELD(times.origin_ms), .fallback = "10m", .max = DAY_MS,
     .value = "T", .help = "limit for the local service to answer a whole request; 0: no limit"},
    {"origin-keepalive", 0, OPT_MSEC, FIELD(times.origin_idle_ms), .fallback = "4s", .max = DAY_MS,
     .value = "T",
     .help =
         "how long an idle connection to the local service is kept; 0: each serves one request"},
    {"origin-reuse", 0, OPT_TEXT, FIELD(local.reuse), .fallback = "safe",
     .value = "safe|always|never",
     .help = "which connections to the local service are used again: those that carried no request "
             "body, also those where the service may be expected to have read it, or none",
     .check = check_reuse, .wants = "safe, always or never"},
    {"origin-login", 0, OPT_TEXT, FIELD(local.login), .fallback = "off", .value = "off|viewer",
     .help = "connections that a viewer has signed in, by NTLM or Negotiate: close them, or keep "
             "them for the same viewer's connection where the server knows it (not behind a proxy)",
     .check = check_login, .wants = "off or viewer"},
    {"idle-timeout", 0, OPT_MSEC, FIELD(times.idle_ms), .fallback = "10m", .max = DAY_MS,
     .value = "T",
     .help = "give up a body without a byte in either direction for this long; 0: never"},
    {"websocket-timeout", 0, OPT_MSEC, FIELD(times.websocket_ms), .fallback = "1h", .max = DAY_MS,
     .value = "T",
     .help = "close a WebSocket without a byte in either direction for this long; 0: never"},
    {"peer-timeout", 0, OPT_MSEC, FIELD(times.peer_ms), .fallback = "30s", .max = DAY_MS,
     .value = "T",
     .help =
         "give up a connection to the local service whose machine acknowledges nothing for this "
         "long; 0: never"},
    {"leave-timeout", 0, OPT_MSEC, FIELD(times.leave_ms), .fallback = "5s", .max = DAY_MS,
     .value = "T", .help = "how long running requests may go on when oneport is stopped"},
    {"sandbox", 0, OPT_TEXT, FIELD(sandbox), .fallback = "auto", .value = "auto|on|off",
     .help = "give up files, ports and system calls that are not needed once the URL works; auto: "
             "as far as the kernel can; on: or do not start",
     .check = sandbox_mode_check, .wants = "auto, on or off", .traits = OPT_AT_TOP},
    {"crypto", 0, OPT_TEXT, FIELD(crypto), .fallback = "auto", .value = "auto|openssl",
     .help = "who encrypts TLS records; auto: ipsec-mb in a build that has it, where the machine "
             "can use it",
     .check = check_crypto, .wants = "auto or openssl", .traits = OPT_AT_TOP},
    {"log-level", 0, OPT_TEXT, FIELD(output.log_level), .fallback = "info",
     .value = "error|warn|info|debug", .help = "least severe level that is logged",
     .check = check_log_level, .wants = "error, warn, info or debug",
     .source = offsetof(struct config, log_level_from), .traits = OPT_AT_TOP},
    {"log-format", 0, OPT_TEXT, FIELD(output.log_format), .fallback = "text", .value = "text|json",
     .help = "format of the log, text or json", .check = check_log_format, .wants = "text or json",
     .traits = OPT_AT_TOP},
    {.name = NULL},
};

/* The section of a tunnel is [tunnel NAME]; NAME has no blanks. */
static bool fits(const char *section)
{
    return config_tunnel_of(section) && !strpbrk(config_tunnel_of(section), " \t");
}

const char *config_tunnel_of(const char *section)
{
    static const char prefix[] = "tunnel ";
    bool of_tunnel = strncmp(section, prefix, sizeof prefix - 1) == 0;
    return of_tunnel && section[sizeof prefix - 1] ? section + sizeof prefix - 1 : NULL;
}

static void show_libraries(void)
{
    libraries_print(cJSON_Version());
    libraries_print_trust();
}

/* Adds the layers of the file at @path, which may be missing unless it is @wanted. */
static bool add_file(struct config *c, const char *path, bool wanted, struct opt_layers *out)
{
    char why[CONF_WHY_MAX];
    struct conf **at = &c->files[c->files[0] ? 1 : 0];
    int err = conf_read(path, at, why);
    if (err == ERR_NOT_FOUND && !wanted)
        return true;
    if (err < 0)
        fprintf(stderr, "oneport: %s\n", why);
    if (err < 0 || !opt_judge_conf(&config_program, *at, fits))
        return false;
    if (c->section)
        out->layer[out->count++] = (struct opt_layer){*at, c->section};
    out->layer[out->count++] = (struct opt_layer){*at, ""};
    return true;
}

char *config_own_path(void)
{
    const char *place = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
    if (place && place[0] == '/') /* XDG: a relative path is ignored */
        return xasprintf("%s/oneport/config", place);
    return home && home[0] == '/' ? xasprintf("%s/.config/oneport/config", home) : NULL;
}

static bool find_layers(void *into, struct opt_layers *out)
{
    struct config *c = into;
    if (c->file)
        return strcmp(c->file, "none") == 0 || add_file(c, c->file, !c->makes_file, out);
    char *own = config_own_path();
    bool good = !own || add_file(c, own, false, out);
    free(own);
    return good && add_file(c, machine_file, false, out);
}

const struct opt_program config_program = {
    .commands = "start, login",
    .print_words = config_print_tunnels,
    .find_layers = find_layers,
    .show_libraries = show_libraries,
    .name = "oneport",
    .env_prefix = "ONEPORT_",
    .usage =
        "oneport [OPTIONS] [http|https] PORT | HOST:PORT | http(s)://HOST[:PORT] | unix:/PATH\n"
        "       oneport [OPTIONS] h2c://HOST[:PORT] | https+h2://HOST[:PORT]\n"
        "       oneport start [OPTIONS] TUNNEL... | --all\n"
        "       oneport login [OPTIONS] HOST",
    .about = "Shares a local service under a public URL, over one TLS connection.",
    .beats = "port, origin",
    .epilogue = "oneport login example.com    remembers the server\n"
                "oneport 3000                 shares port 3000\n"
                "oneport -s my-app 3000       shares it as https://my-app.example.com\n\n"
                "Exit codes: 0 stopped by the user, 1 usage, 2 refused by the server, 3 server\n"
                "certificate refused, 4 no connection, 70 internal.",
    .rows = rows,
};

void config_log_foreign(void)
{
    char name[OPT_LABEL_MAX];
    const char *value;
    for (size_t at = 0; (value = opt_next_foreign(&config_program, &at, name));)
        LOG(INFO, "environment_ignored", LOG_STR("name", name), LOG_STR("value", value));
}

enum opt_result config_load(int argc, char **argv, struct config *c)
{
    const char *words[ORIGIN_WORDS_MAX], *operand = NULL;
    size_t n = 0;
    *c = (struct config){.memory_budget = 0};
    enum opt_result result = opt_parse(&config_program, argc, argv, c, words, ORIGIN_WORDS_MAX, &n);
    if (result == OPT_RUN)
        result = config_read_words(c, words, n, &operand);
    if (result == OPT_RUN)
        result = config_judge(c, operand);
    config_hide_secrets(argc, argv, c);
    return result;
}

void config_deinit(struct config *c)
{
    free(c->remote.attach_hosts.copy);
    free(c->policy.allow.copy);
    free(c->policy.deny.copy);
    free(c->policy.auth.copy);
    free(c->policy.public.copy);
    free(c->policy.keys.copy);
    share_keys_free(&c->keys);
    free(c->policy.header_add.copy);
    free(c->policy.header_remove.copy);
    free(c->policy_text);
    conf_free(c->files[0]);
    conf_free(c->files[1]);
    free(c->section);
    free(c->token);
    *c = (struct config){.memory_budget = 0};
}
