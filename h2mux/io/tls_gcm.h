/* SPDX-License-Identifier: MIT */
/* tls_gcm.h - AES-GCM for TLS records by wide vector instructions, as an OpenSSL provider.
 *
 * OpenSSL 3.0 ciphers with AES-NI, a block an instruction; ipsec-mb does four blocks with VAES and
 * needs a third of the time for a full record (NIST SP 800-38D; RFC 8446 5.2). Where the processor
 * or the library is not there, everything stays with OpenSSL. */
#ifndef H2MUX_IO_TLS_GCM_H
#define H2MUX_IO_TLS_GCM_H

/* The property query with which a context of OpenSSL prefers these ciphers and takes all else as
 * before; NULL: they are not to be had here. On any thread; the first call sets up the provider. */
const char *tls_gcm_properties(void);

#endif
