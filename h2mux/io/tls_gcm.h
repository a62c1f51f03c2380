/* SPDX-License-Identifier: MIT */
/* tls_gcm.h - ciphers TLS records with AES-GCM by wide vector instructions, as an OpenSSL provider.
 *
 * OpenSSL 3.0 ciphers with AES-NI, one block an instruction. ipsec-mb does four blocks with VAES
 * and needs a third of the time for a full record (NIST SP 800-38D; RFC 8446 5.2). Where the
 * processor or the library is missing, OpenSSL ciphers everything. */
#ifndef H2MUX_IO_TLS_GCM_H
#define H2MUX_IO_TLS_GCM_H

/* Returns the property query with which an OpenSSL context prefers these ciphers and takes all else
 * as before, or NULL if this machine cannot use them. May run on any thread; the first call sets up
 * the provider. */
const char *tls_gcm_properties(void);

#endif
