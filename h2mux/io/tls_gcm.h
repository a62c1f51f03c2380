/* SPDX-License-Identifier: MIT */
/* tls_gcm.h - encrypts and decrypts TLS records by AES-GCM with wide vector instructions, as an
 * OpenSSL provider.
 *
 * OpenSSL before 3.1 uses AES-NI, which handles one block in an instruction. The library ipsec-mb
 * handles four blocks in an instruction (VAES), and needs a third of the time for a full record
 * (NIST SP 800-38D; RFC 8446 5.2). It is used if the build has it (make IPSEC_MB=yes), if the
 * processor has the instructions, if the system saves their registers, and if its ciphers give what
 * OpenSSL's give. Otherwise OpenSSL's own ciphers are used. */
#ifndef H2MUX_IO_TLS_GCM_H
#define H2MUX_IO_TLS_GCM_H

struct ossl_lib_ctx_st;

/* Makes the functions below return NULL and "OpenSSL". Does nothing after the first call of any of
 * them. */
void tls_gcm_forbid(void);

/* Return the library context and the property query for an OpenSSL context. Such a context prefers
 * the ciphers of this file, and takes all other algorithms as before; other contexts of the process
 * do not see the ciphers. Both return NULL if the ciphers are not used. May run on any thread; the
 * first call of any of them sets up the provider. */
struct ossl_lib_ctx_st *tls_gcm_library(void);
const char *tls_gcm_properties(void);

/* Returns who encrypts AES-GCM: "ipsec-mb 1.3.0", or "OpenSSL". */
const char *tls_gcm_name(void);

#endif
