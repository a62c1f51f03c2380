/* SPDX-License-Identifier: MIT */
/* rows.h - says what the board shows of one worker, as JSON: its tunnels, and the viewers of one of
 * them. protocol.md#the-board */
#ifndef SRC_BOARD_ROWS_H
#define SRC_BOARD_ROWS_H

#include <cjson/cJSON.h>

#include "src/names/label.h"
#include "src/worker/worker.h"

enum { ROWS_MAX = 1000 /* of one answer */ };

/* Which rows are asked for. */
struct rows_ask {
    char after[NAME_MAX_LEN + 1]; /* names behind this one, in the order of their bytes */
    char name[NAME_MAX_LEN + 1];  /* rows_viewers: the tunnel */
};

/* Adds a row for each tunnel of @w behind ask->after, ROWS_MAX and one at most, in the order of
 * their names: {"name", "state", "waiting", "requests", "viewers", "open", "websockets",
 * "rx_octets", "tx_octets", "links": [{"peer", "slot", "since", "round_trip_ms", "open"}]}. */
void rows_tunnels(struct worker *w, const struct rows_ask *ask, cJSON *out);

/* Adds a row for each address that has a request open at the tunnel ask->name, if that is here, and
 * ROWS_MAX at most: {"address", "open", "websockets", "since"}. */
void rows_viewers(struct worker *w, const struct rows_ask *ask, cJSON *out);

/* Sorts @rows by their "name" and drops those behind the first ROWS_MAX. Returns whether there were
 * more. */
bool rows_cut(cJSON *rows);

#endif
