/* SPDX-License-Identifier: MIT */
/* file.h - reads and writes whole files through a descriptor, in as many system calls as the kernel
 * needs. After ERR_IO errno says why. */
#ifndef H2MUX_BASE_FILE_H
#define H2MUX_BASE_FILE_H

#include "h2mux/base/buf.h"

/* Appends to @to what @fd has up to its end. Fails with ERR_LIMIT if that is more than @to may
 * hold, which is full then, and with ERR_IO. */
int file_read_all(int fd, struct buf *to) MUSTCHECK;
/* Writes all of @content. Fails with ERR_IO; a part may have been written. */
int file_write_all(int fd, struct slice content) MUSTCHECK;

#endif
