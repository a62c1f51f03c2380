/* SPDX-License-Identifier: MIT */
/* libraries.c - see libraries.h. */
#include "h2mux/h2/libraries.h"

#include <event2/event.h>
#include <nghttp2/nghttp2.h>
#include <openssl/crypto.h>
#include <stdio.h>

#include "h2mux/io/anchors.h"
#include "h2mux/io/tls_gcm.h"

#ifndef ONEPORT_LINKED
#define ONEPORT_LINKED "none"
#endif

enum { WHERE_MAX = 1024 };

void libraries_print(const char *json)
{
    printf("%s\nnghttp2 %s\nlibevent %s\ncJSON %s\nAES-GCM of TLS: %s\nlinked in: %s\n",
           OpenSSL_version(OPENSSL_VERSION), nghttp2_version(0)->version_str, event_get_version(),
           json, tls_gcm_name(), ONEPORT_LINKED);
}

void libraries_print_trust(void)
{
    char where[WHERE_MAX];
    anchors_find(where, sizeof where);
    printf("trusted authorities: %s\n", where);
}
