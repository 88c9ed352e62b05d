"""
``python -m benchmarks.instructions.process``: the process that runs under callgrind. It warms up, then runs each work,
and tells callgrind where each run begins and ends.
"""

from __future__ import annotations

import ctypes
import gc
import sys

import django

from benchmarks.instructions.works import Receiver, works
from benchmarks.measurements import PROCESS, VARIANTS

_WARM_UP = 100
"""
Number of events before the counted runs. After these events, caches are full and Python has specialized its bytecode.
"""


def main(counter: str, *sizes: int) -> None:
    """
    Run each work once for each of ``sizes``, which are numbers of events. ``counter`` writes each count under the name
    ``operation variant size``.
    """
    django.setup()
    lib, receiver = ctypes.CDLL(counter), Receiver()
    todo = [(operation, variant, work) for variant in VARIANTS for operation, work in works(variant, receiver).items()]
    for _, _, work in todo:
        work(_WARM_UP)()
    runs = [
        (operation, f"{operation} {variant} {size}", size, work(size), work(sizes[0]))
        for operation, variant, work in todo
        for size in sizes
    ]
    gc.collect()
    gc.disable()  # otherwise collections would happen in random runs
    lib.begin()
    for operation, name, size, run, rehearse in runs:
        rehearse()  # frees the memory that the preparation has left
        receiver.count = 0
        lib.begin()
        run()
        lib.end(name.encode())
        if receiver.count != (size if operation == PROCESS else 0):
            raise RuntimeError(f"{name}: the receiver was called {receiver.count} times.")


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
