/* SPDX-License-Identifier: MIT */
/* ctl_command.h - runs `oneportd ctl`, which asks the board of a running server (board.h). */
#ifndef SRC_CTL_COMMAND_H
#define SRC_CTL_COMMAND_H

/* Runs the command whose words are @argv, from "ctl" on. Returns the exit code of the program. */
int ctl_command_run(int argc, char **argv);

#endif
