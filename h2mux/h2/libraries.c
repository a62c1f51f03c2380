/* SPDX-License-Identifier: MIT */
/* libraries.c - see libraries.h. */
#include "h2mux/h2/libraries.h"

#include <event2/event.h>
#include <nghttp2/nghttp2.h>
#include <openssl/crypto.h>
#include <stdio.h>

#include "h2mux/io/tls_gcm.h"

void libraries_print(const char *json)
{
    printf("%s\nnghttp2 %s\nlibevent %s\ncJSON %s\nAES-GCM of TLS: %s\n",
           OpenSSL_version(OPENSSL_VERSION), nghttp2_version(0)->version_str, event_get_version(),
           json, tls_gcm_name());
}
