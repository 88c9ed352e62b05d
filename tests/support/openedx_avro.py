"""Returns the schemas of all signals, and bytes of event data, as openedx-events writes them."""

from io import BytesIO
from typing import Any

import fastavro
from openedx_events.event_bus.avro.serializer import AvroSignalSerializer
from openedx_events.tooling import OpenEdxPublicSignal, load_all_signals

load_all_signals()
SIGNALS = [signal for signal in OpenEdxPublicSignal.all_events() if signal.event_type.startswith("org.openedx.")]


def text_of_openedx(signal: OpenEdxPublicSignal) -> str | None:
    try:
        text: str = AvroSignalSerializer(signal).schema_string()
    except Exception:  # noqa: BLE001 openedx-events raises bare Exception for data that it cannot serialize
        return None
    return text


ENCODABLE = [signal for signal in SIGNALS if text_of_openedx(signal) is not None]


def bytes_of_openedx(signal: OpenEdxPublicSignal, data: dict[str, Any]) -> bytes:
    serializer = AvroSignalSerializer(signal)
    out = BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(serializer.schema), serializer.to_dict(data))
    return out.getvalue()
