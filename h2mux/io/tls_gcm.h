/* SPDX-License-Identifier: MIT */
/* tls_gcm.h - encrypts and decrypts TLS records by AES-GCM with wide vector instructions, as an
 * OpenSSL provider.
 *
 * OpenSSL 3.0 uses AES-NI, which handles one block in an instruction. The library ipsec-mb handles
 * four blocks in an instruction (VAES), and needs a third of the time for a full record (NIST SP
 * 800-38D; RFC 8446 5.2). Without VAES in the processor, or without ipsec-mb in the build,
 * OpenSSL's own ciphers are used. */
#ifndef H2MUX_IO_TLS_GCM_H
#define H2MUX_IO_TLS_GCM_H

/* Returns a property query for OpenSSL contexts. A context with this query prefers the ciphers of
 * this file, and takes all other algorithms as before. Returns NULL if this machine cannot use the
 * ciphers. May run on any thread; the first call sets up the provider. */
const char *tls_gcm_properties(void);

#endif
