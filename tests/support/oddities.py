# SPDX-License-Identifier: MIT
"""Compiles oddities.c, which is preloaded into a program and makes its socket calls short,
interrupted or refused."""

import pathlib

from . import preload
from .preload import missing  # noqa: F401 (tests import it from here)

SOURCE = pathlib.Path(__file__).with_name("oddities.c")


def build(directory):
    return preload.build(SOURCE, directory)


def environment(library, seed):
    """Returns the environment for a program whose socket calls become odd in the order of @seed."""
    return preload.environment(library, ODDITIES_SEED=seed)
