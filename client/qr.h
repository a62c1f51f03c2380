/* SPDX-License-Identifier: MIT */
/* qr.h - draws a text as a QR code, for a phone that looks at the terminal. */
#ifndef CLIENT_QR_H
#define CLIENT_QR_H

#include "h2mux/base/buf.h"

/* Returns whether this build has libqrencode. */
bool qr_possible(void);

/* Appends the QR code of @text to @out: lines that end with CR LF, black on white by the terminal's
 * colours, each with two rows of the code as half blocks (U+2580) in UTF-8, and a margin of two
 * modules. Returns 0; ERR_LIMIT if the text is too long for a code or @out has no room; or
 * ERR_UNSUPPORTED without libqrencode. */
int qr_draw(const char *text, struct buf *out) MUSTCHECK;

#endif
