/* SPDX-License-Identifier: MIT */
/* metrics.h - writes the counters of the server in the text format of Prometheus, version 0.0.4. */
#ifndef SRC_BOARD_METRICS_H
#define SRC_BOARD_METRICS_H

#include <cjson/cJSON.h>

#include "h2mux/base/buf.h"
#include "src/worker/server.h"

#define METRICS_TYPE "text/plain; version=0.0.4; charset=utf-8"

enum { METRICS_MAX = 1024 * 1024 /* bytes of the text */ };

/* Appends the metrics of @s to @out. @tunnels are rows (rows.h) that become metrics of each tunnel,
 * or NULL. Returns 0, or ERR_LIMIT. */
int metrics_write(const struct server *s, uint64_t now_us, const cJSON *tunnels,
                  struct buf *out) MUSTCHECK;

#endif
