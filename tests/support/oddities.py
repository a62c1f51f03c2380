"""oddities.c, compiled and ready to be preloaded into a program: short, interrupted and refused socket calls."""

import pathlib
import subprocess

from .programs import VARIANT

SOURCE = pathlib.Path(__file__).with_name("oddities.c")


def missing():
    """Why nothing can be preloaded; None when it can."""
    return None if VARIANT in ("release", "asan") else f"nothing can be preloaded with VARIANT={VARIANT}"


def build(directory):
    library = pathlib.Path(directory) / "oddities.so"
    done = subprocess.run(["cc", "-std=gnu11", "-O2", "-shared", "-fPIC", "-Wall", "-Werror", SOURCE, "-o", library, "-ldl"],
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return library


def environment(library, seed):
    """For a program that is to be plagued. AddressSanitizer insists on being first."""
    preload = [str(library)]
    if VARIANT == "asan":
        found = subprocess.run(["cc", "-print-file-name=libasan.so"], capture_output=True, text=True, check=True).stdout.strip()
        preload.insert(0, str(pathlib.Path(found).resolve()))
    return {"LD_PRELOAD": " ".join(preload), "ODDITIES_SEED": seed}
