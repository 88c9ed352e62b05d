"""
Replaces the web processes of a service: ``python -m examples.tour.front lms``.

Each line of standard input is a call of a function in the service's ``api`` module, as a request would call it. For
each line the process prints a line of JSON, ``{"error": …}``. The error is null if the call succeeded. The process
prints one more such line, with null, when it is ready.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from importlib import import_module


def main(service: str) -> None:
    os.environ["DJANGO_SETTINGS_MODULE"] = f"examples.{service}.settings"
    import_module("django").setup()
    api = vars(import_module(f"examples.{service}.api"))
    _answer(None)
    for line in sys.stdin:
        try:
            eval(line, dict(api))
        except Exception as error:  # noqa: BLE001 whatever the error is, the tour fails, and the log says why
            traceback.print_exc()
            _answer(repr(error))
        else:
            _answer(None)


def _answer(error: str | None) -> None:
    print(json.dumps({"error": error}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
