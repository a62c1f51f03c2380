# SPDX-License-Identifier: MIT
"""Compiles libraries that are preloaded into the programs under test."""

import pathlib
import subprocess

from .programs import VARIANT


def missing():
    """Returns why nothing can be preloaded, or None when it can."""
    return (
        None
        if VARIANT in ("release", "asan")
        else f"nothing can be preloaded with VARIANT={VARIANT}"
    )


def build(source, directory):
    library = pathlib.Path(directory) / f"{pathlib.Path(source).stem}.so"
    done = subprocess.run(
        [
            "cc",
            "-std=gnu11",
            "-O2",
            "-shared",
            "-fPIC",
            "-Wall",
            "-Werror",
            source,
            "-o",
            library,
            "-ldl",
        ],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return library


def environment(library, **variables):
    """Returns the environment for a program with @library. AddressSanitizer has to be the first
    library."""
    libraries = [str(library)]
    if VARIANT == "asan":
        found = subprocess.run(
            ["cc", "-print-file-name=libasan.so"], capture_output=True, text=True, check=True
        ).stdout.strip()
        libraries.insert(0, str(pathlib.Path(found).resolve()))
    return {"LD_PRELOAD": " ".join(libraries), **variables}
