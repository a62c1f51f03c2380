/* SPDX-License-Identifier: MIT */
/* tls_gcm_int.h - what tls_gcm.c, the provider, shows to tls_gcm_load.c, which decides whether it
 * is used. Only in a build with ipsec-mb. */
#ifndef H2MUX_IO_TLS_GCM_INT_H
#define H2MUX_IO_TLS_GCM_INT_H

#include "h2mux/io/tls_gcm.h"

#ifdef HAVE_IPSEC_MB

#include <openssl/core.h>
#include <openssl/core_dispatch.h>
#include <stdbool.h>

#define TLS_GCM_PROVIDER "oneport"
#define TLS_GCM_QUERY "provider=" TLS_GCM_PROVIDER

/* Takes the functions from ipsec-mb. Returns whether the processor has the instructions that they
 * need. */
bool tls_gcm_find_functions(void);

OSSL_provider_init_fn tls_gcm_provider_init;

#endif
#endif
