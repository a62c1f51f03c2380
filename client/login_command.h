/* SPDX-License-Identifier: MIT */
/* login_command.h - runs `oneport login HOST`: asks whether HOST is an oneportd, and remembers it
 * in the user's configuration file. */
#ifndef CLIENT_LOGIN_COMMAND_H
#define CLIENT_LOGIN_COMMAND_H

#include "client/server/tunnel.h"

/* Runs the command with the words from "login" on. Returns the exit code of the process. */
enum exit_code login_command_run(int argc, char **argv) MUSTCHECK;

#endif
