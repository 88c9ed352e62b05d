"""``python -m benchmarks.process WORK ARGUMENTS``: runs a case once and prints its figures as JSON."""

from __future__ import annotations

import json
import sys
from importlib import import_module

import django


def main(work: str, arguments: str) -> None:
    """Run the function ``work`` of ``benchmarks.works`` with keyword arguments in JSON; print its figures."""
    django.setup()
    module, _, function = work.rpartition(".")
    figures = getattr(import_module(f"benchmarks.works.{module}"), function)(**json.loads(arguments))
    print(json.dumps(figures))


if __name__ == "__main__":
    main(*sys.argv[1:])
