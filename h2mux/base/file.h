/* SPDX-License-Identifier: MIT */
/* file.h - whole files through a descriptor, however the kernel cuts them. errno says why after
 * ERR_IO. */
#ifndef H2MUX_BASE_FILE_H
#define H2MUX_BASE_FILE_H

#include "h2mux/base/buf.h"

/* Appends what follows in @fd until its end. ERR_LIMIT: that is more than @to may hold, and as much
 * of it is there; ERR_IO. */
int file_read_all(int fd, struct buf *to) MUSTCHECK;
/* ERR_IO: some of it may have been written. */
int file_write_all(int fd, struct slice content) MUSTCHECK;

#endif
