"""Settings with the addresses of Kafka and the registry, and with the options of their clients."""

from __future__ import annotations

from event_bus_kafka.conf.kinds import ANY_TEXT, FLAG, MAPPING, TEXT, TEXTS, Setting, number, optional

SECONDS = number(least=0.001, most=86_400)


class ServerSettings:
    """The settings of Kafka, of the registry and of their clients, as attributes."""

    # Classes that openedx-events loads
    producer = Setting(
        "EVENT_BUS_PRODUCER", optional(TEXT), None, "Dotted path to the producer: event_bus_kafka.create_producer."
    )
    consumer = Setting(
        "EVENT_BUS_CONSUMER", optional(TEXT), None, "Dotted path to the consumer: event_bus_kafka.KafkaEventConsumer."
    )

    # Addresses of Kafka and the registry
    bootstrap_servers = Setting(
        "EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS", optional(TEXT), None, "Kafka brokers, as host:port, separated by commas."
    )
    api_key = Setting("EVENT_BUS_KAFKA_API_KEY", optional(ANY_TEXT), None, "User name for SASL/PLAIN over TLS.")
    api_secret = Setting("EVENT_BUS_KAFKA_API_SECRET", optional(ANY_TEXT), None, "Password for SASL/PLAIN over TLS.")
    schema_registry_url = Setting(
        "EVENT_BUS_KAFKA_SCHEMA_REGISTRY_URL",
        optional(TEXT),
        None,
        "URL of a registry with Confluent's API. It may contain user and password, percent-encoded; they are never "
        "logged.",
    )
    schema_registry_api_key = Setting(
        "EVENT_BUS_KAFKA_SCHEMA_REGISTRY_API_KEY", optional(ANY_TEXT), "", "User name at the registry."
    )
    schema_registry_api_secret = Setting(
        "EVENT_BUS_KAFKA_SCHEMA_REGISTRY_API_SECRET", optional(ANY_TEXT), "", "Password at the registry."
    )
    topic_prefix = Setting(
        "EVENT_BUS_TOPIC_PREFIX", optional(ANY_TEXT), None, "Prefix of every topic's name, joined by a hyphen."
    )
    service_name = Setting(
        "EVENTS_SERVICE_NAME", optional(ANY_TEXT), None, "Name of this service, in each event's source and client id."
    )
    service_variant = Setting(
        "SERVICE_VARIANT", optional(ANY_TEXT), None, "Name of this service if EVENTS_SERVICE_NAME is not set."
    )

    # Options with the clients' own names
    client_options = Setting(
        "EVENT_BUS_KAFKA_CLIENT_OPTIONS", MAPPING, {}, "librdkafka options of producers and consumers."
    )
    producer_options = Setting("EVENT_BUS_KAFKA_PRODUCER_OPTIONS", MAPPING, {}, "librdkafka options of producers.")
    consumer_options = Setting("EVENT_BUS_KAFKA_CONSUMER_OPTIONS", MAPPING, {}, "librdkafka options of consumers.")
    allow_unsafe_options = Setting(
        "EVENT_BUS_KAFKA_ALLOW_UNSAFE_OPTIONS", TEXTS, (), "Options that are allowed although they may lose events."
    )
    schema_registry_options = Setting(
        "EVENT_BUS_KAFKA_SCHEMA_REGISTRY_OPTIONS", MAPPING, {}, "Options of confluent-kafka's SchemaRegistryClient."
    )
    auto_register_schemas = Setting(
        "EVENT_BUS_KAFKA_AUTO_REGISTER_SCHEMAS", FLAG, True, "False: sending fails if the registry lacks the schema."
    )
    registry_timeout = Setting(
        "EVENT_BUS_KAFKA_REGISTRY_TIMEOUT",
        SECONDS,
        1.0,
        "Seconds for one request to the registry. After a failed one, web requests do not use the registry for 30 "
        "seconds.",
    )
