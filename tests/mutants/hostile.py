"""Faults of what stands against hostile input, odd hosts and servers that say something else."""

from __future__ import annotations

from tests.mutants.fault import Fault

_SIZE = ("unit/wire/test_decoded_size.py",)
_REGISTRY = ("contract/test_schema_registry.py", "unit/dispatching/test_retry.py")

FAULTS = (
    Fault(
        name="what a record would take is not counted",
        file="wire/codec.py",
        scope="_reader",
        old="len(body) > harmless",
        new="False",
        harm="a record of a hundred kilobytes becomes gigabytes, and ends every worker in turn",
        tests=_SIZE,
    ),
    Fault(
        name="objects of the service do not count",
        file="wire/decoded_size.py",
        scope="_record",
        old="isinstance(reader, Record)",
        new="False",
        harm="a list of course keys takes ten times as much memory as is allowed",
        tests=_SIZE,
    ),
    Fault(
        name="entries of maps count as items of lists",
        file="wire/decoded_size.py",
        scope="_repeated",
        old="_ITEM_OF_MAP if is_map else _ITEM_OF_LIST",
        new="_ITEM_OF_LIST",
        harm="a map takes more memory than is allowed",
        tests=_SIZE,
    ),
    Fault(
        name="a type may have the name of null",
        file="wire/writer_schema.py",
        scope="parse",
        old="_refuse_reserved(names)",
        new="pass",
        harm="116 bytes become 1.6 GB",
        tests=_SIZE,
    ),
    Fault(
        name="a JSON schema is read as Avro",
        file="kafka/schema_registry.py",
        scope="_text",
        old="answer.schema_type != 'AVRO'",
        new="False",
        harm="schemas that no registry has checked as Avro reach the decoder",
        tests=_REGISTRY,
    ),
    Fault(
        name="a refusal of a proxy is one of the registry",
        file="kafka/schema_registry.py",
        scope="_to_error",
        old="status in _ABOUT_THE_SCHEMA and str(code).startswith(str(status))",
        new="status in _ABOUT_THE_SCHEMA",
        harm="a firewall that answers 422 for a minute makes dead letters",
        tests=_REGISTRY,
    ),
    Fault(
        name="an unknown schema is final",
        file="errors.py",
        scope="SchemaRegistryError",
        old="self.final = not retriable and status != HTTPStatus.NOT_FOUND",
        new="self.final = not retriable",
        harm="a node of the registry that lags makes dead letters",
        tests=_REGISTRY,
    ),
    Fault(
        name="all schemas are kept",
        file="kafka/schema_registry.py",
        scope="schema_of",
        old="len(text) <= _LONGEST_KEPT",
        new="True",
        harm="schemas of strangers fill the memory",
        tests=_REGISTRY,
    ),
    Fault(
        name="long texts are kept",
        file="kept.py",
        scope="__missing__",
        old="key is None or len(key) <= _LONGEST",
        new="True",
        harm="course keys and headers of a megabyte fill the memory",
        tests=("unit/test_kept.py",),
    ),
)
