/* SPDX-License-Identifier: MIT */
/* urls.c - see urls.h. The options say a URL, or Host and the fields of a trusted proxy do. */
#include "src/tunnels/urls.h"

#include <stdio.h>

/* Returns the port in Host. Without one, returns the port that a trusted proxy has sent, or 0. */
static uint16_t call_port(const struct call *c)
{
    struct slice host = c->m->authority;
    ptrdiff_t colon = slice_rfind(host, ':');
    uint64_t port = 0;
    if (colon > slice_rfind(host, ']') &&
        slice_to_u64(slice_skip(host, (size_t)colon + 1), UINT16_MAX, &port) == 0 && port > 0)
        return (uint16_t)port;
    return c->viewer->forwarded_port;
}

static uint16_t default_port(bool https)
{
    return https ? URLS_HTTPS_PORT : URLS_HTTP_PORT;
}

/* Reads the value @text of a URL option, which was checked at the start, into @out. Returns false
 * when the option was not given. */
static bool option_url(const char *text, struct base_url *out)
{
    return text && base_url_parse(text, out) == 0;
}

struct base_url urls_public(const struct config *config, const struct call *c)
{
    struct base_url url;
    if (!option_url(config->urls.public, &url)) {
        url.https = c->viewer->https || config->localtunnel.secure;
        url.port = call_port(c);
    }
    url.host = slice_str(config->domain);
    if (url.port == 0)
        url.port = default_port(url.https);
    return url;
}

struct base_url urls_attach(const struct config *config, const struct call *c)
{
    struct base_url url;
    if (!option_url(config->urls.attach, &url))
        url = (struct base_url){.host = slice_str(config->domain), .port = call_port(c)};
    url.https = true;
    if (url.port == 0)
        url.port = URLS_HTTPS_PORT;
    return url;
}

void urls_print(char out[static URLS_MAX], const struct base_url *b, const char *label,
                const char *path)
{
    char port[8] = "";
    if (b->port != default_port(b->https))
        snprintf(port, sizeof port, ":%u", (unsigned)b->port);
    snprintf(out, URLS_MAX, "%s://%s%s%.*s%s%s", b->https ? "https" : "http", label,
             label[0] ? "." : "", SLICE_FMT(b->host), port, path);
}
