/* SPDX-License-Identifier: MIT */
/* qr.c - see qr.h. libqrencode makes the code; a build without it draws none. */
#include "client/qr.h"

#include "h2mux/base/err.h"

#ifdef HAVE_QRENCODE
#include <qrencode.h>

enum { MARGIN = 2, DARK = 1 };

bool qr_possible(void)
{
    return true;
}

static bool is_dark(const QRcode *code, int x, int y)
{
    if (x < 0 || y < 0 || x >= code->width || y >= code->width)
        return false;
    return code->data[y * code->width + x] & DARK;
}

/* Draws the rows @y and @y + 1. */
static int draw_line(const QRcode *code, int y, struct buf *out)
{
    static const char *const halves[2][2] = {{" ", "\u2584"}, {"\u2580", "\u2588"}};
    int err = buf_append(out, SLICE("\x1b[30;47m"));
    for (int x = -MARGIN; err == 0 && x < code->width + MARGIN; x++)
        err = buf_append(out, slice_str(halves[is_dark(code, x, y)][is_dark(code, x, y + 1)]));
    return err == 0 ? buf_append(out, SLICE("\x1b[m\r\n")) : err;
}

int qr_draw(const char *text, struct buf *out)
{
    QRcode *code = QRcode_encodeString8bit(text, 0, QR_ECLEVEL_L);
    int err = code ? 0 : ERR_LIMIT;
    for (int y = -MARGIN; err == 0 && y < code->width + MARGIN; y += 2)
        err = draw_line(code, y, out);
    QRcode_free(code);
    return err;
}

#else

bool qr_possible(void)
{
    return false;
}

int qr_draw(const char *text, struct buf *out)
{
    return ERR_UNSUPPORTED;
}

#endif
