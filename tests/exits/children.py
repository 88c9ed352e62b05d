"""
Emits each of the numbers of its command line in a child process, made in the way that is named before them, or, with
``none``, in this process, and ends at once as a management command does.
"""

import multiprocessing
import sys
from typing import Any

import django

django.setup()  # in a child that is spawned, too

from django.db import connections  # noqa: E402

from tests.exits.emitting import emit, emit_first  # noqa: E402 models need a Django that is set up

if __name__ == "__main__":
    way, numbers = sys.argv[1], [int(number) for number in sys.argv[2:]]
    emit_first()
    for number in numbers:
        if way == "none":
            emit(number)
        else:
            context: Any = multiprocessing.get_context(way)
            child = context.Process(target=emit, args=(number,))
            child.start()
            child.join()
    connections.close_all()
