/* SPDX-License-Identifier: MIT */
/* anchors.h - finds the authorities that this system trusts, also where it is not the system that
 * OpenSSL was built for: a program with OpenSSL linked in runs on others, too. */
#ifndef H2MUX_IO_ANCHORS_H
#define H2MUX_IO_ANCHORS_H

#include <stddef.h>

/* Writes where the authorities are to @out, as a text for people: what SSL_CERT_FILE or
 * SSL_CERT_DIR says; or else the place that OpenSSL was built for, if something is there; or else
 * the first file that is there of those of Debian, RHEL, SUSE and Alpine; or else "none found".
 * Cuts the text to
 * @size bytes with its zero byte. Returns the file to load, static; or NULL if OpenSSL finds the
 * authorities by itself. */
const char *anchors_find(char *out, size_t size);

#endif
