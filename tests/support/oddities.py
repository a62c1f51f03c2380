# SPDX-License-Identifier: MIT
"""oddities.c, compiled and ready to be preloaded into a program: short, interrupted and refused
socket calls."""

import pathlib

from . import preload
from .preload import missing  # noqa: F401 (for the tests)

SOURCE = pathlib.Path(__file__).with_name("oddities.c")


def build(directory):
    return preload.build(SOURCE, directory)


def environment(library, seed):
    """For a program that is to be plagued."""
    return preload.environment(library, ODDITIES_SEED=seed)
