"""``python -m benchmarks.process``: one run of one variant; prints what it measured as JSON."""

from __future__ import annotations

import argparse
import gc
import json

import attrs
import django

from benchmarks.consuming import CONSUMERS
from benchmarks.events import samples
from benchmarks.measurements import OPERATIONS, RELAYED, VARIANTS, Measurement, Meter
from benchmarks.relaying import relay_of
from benchmarks.sending import SENDERS


@attrs.frozen(kw_only=True)
class Run:
    """What is measured, and what goes before it to warm up: caches, connections, schemas."""

    variant: str
    topic: str
    events: int
    warm_up: int
    group: str

    @property
    def warm_up_topic(self) -> str:
        """A topic of its own: a worker reads ahead, and what it read while warming up would cost nothing later."""
        return f"{self.topic}-warm-up"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.process", description=__doc__)
    parser.add_argument("operation", choices=(*OPERATIONS, "relay"))
    parser.add_argument("variant", choices=(*VARIANTS, *RELAYED))
    parser.add_argument("--topic", required=True)
    parser.add_argument("--events", type=int, required=True)
    parser.add_argument("--warm-up", type=int, required=True)
    parser.add_argument("--group", default="")
    options = vars(parser.parse_args())
    django.setup()
    measure = {"send": _send, "consume": _consume, "relay": _relay}[options.pop("operation")]
    print(json.dumps(attrs.asdict(measure(Run(**options)))))


def _send(run: Run) -> Measurement:
    ready = SENDERS[run.variant]()
    ready(run.topic, samples(run.warm_up))()
    send = ready(run.topic, samples(run.events))
    meter = _quiet_meter()
    with meter.running():
        send()
    return Measurement(events=run.events, cpu=meter.cpu, wall=meter.wall)


def _consume(run: Run) -> Measurement:
    consume = CONSUMERS[run.variant]
    consume(run.warm_up_topic, run.group, run.warm_up, Meter())
    meter = _quiet_meter()
    with meter.running():
        received = consume(run.topic, run.group, run.events, meter)
    return Measurement(events=received, cpu=meter.cpu, wall=meter.wall)


def _relay(run: Run) -> Measurement:
    relay = relay_of(run.variant)
    relay(run.topic, run.warm_up, Meter())
    meter = _quiet_meter()
    relay(run.topic, run.events, meter)
    return Measurement(events=run.events, cpu=meter.cpu, wall=meter.wall)


def _quiet_meter() -> Meter:
    gc.collect()
    gc.freeze()  # a service has its own objects; the events made in advance must not be swept again and again
    return Meter()


if __name__ == "__main__":
    main()
