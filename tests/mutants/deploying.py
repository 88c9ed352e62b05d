"""Faults of what belongs to a deploy: topics, schemas, checks, the probe."""

from __future__ import annotations

from tests.mutants.fault import Fault

FAULTS = (
    Fault(
        name="a topic with keys is grown without being asked twice",
        file="operations/topic_plan.py",
        scope="_why_not",
        old="step.moves_keys and not allow_key_moves",
        new="False",
        harm="events of a key are received out of order after a deploy",
        real=("real/test_topic_command.py",),
    ),
    Fault(
        name="drift ends with 0 where JSON is printed",
        file="management/commands/event_topics.py",
        scope="Command._check",
        old="if plan.drifting:\n    raise CommandError(f'{_count(plan)} event_topics apply does what can be done.')",
        new="if plan.drifting and not options['json']:\n    raise CommandError('drift')",
        harm="a pipeline passes",
        real=("real/test_topic_command.py",),
    ),
    Fault(
        name="topics of dead letters are left to the brokers' retention",
        file="assembly/topics.py",
        scope="_own_defaults",
        old="{'options': {'retention.ms': str(round(settings.retention * _DAY))}}",
        new="{}",
        harm="dead letters are gone after a week",
        tests=("unit/management/test_event_topics.py",),
    ),
    Fault(
        name="what is said of all topics goes before what is said of one",
        file="conf/deploying.py",
        scope="settings_of_topic",
        old="[given.get(ALL_TOPICS, {}), own, given.get(topic, {})]",
        new="[own, given.get(topic, {}), given.get(ALL_TOPICS, {})]",
        harm="a topic that should keep everything expires",
        tests=("unit/management/test_event_topics.py",),
    ),
    Fault(
        name="the sandbox is asked to create topics",
        file="operations/topic_plan.py",
        scope="plan",
        old="admin.require_controller(timeout=_TIMEOUT)",
        new="pass",
        harm="who tries the command waits, and reads of a controller",
        tests=("unit/management/test_event_topics.py",),
    ),
    Fault(
        name="in transitive modes the last version alone counts",
        file="schemas/verdict.py",
        scope="_pairs",
        old="history if is_transitive(level) else history[-1:]",
        new="history[-1:]",
        harm="a schema passes the review, and the registry refuses it",
        real=("interop/test_schema_check.py",),
    ),
    Fault(
        name="a schema that was exported is compared with nothing",
        file="operations/schemas/schema_check.py",
        scope="in_directory",
        old="SchemaStanding.INCOMPATIBLE if refusals else standing",
        new="standing if standing is SchemaStanding.KNOWN or not refusals else SchemaStanding.INCOMPATIBLE",
        harm="who exports a break passes the gate",
        tests=("unit/schemas",),
    ),
    Fault(
        name="a proxy's 404 is taken for an unknown subject",
        file="kafka/schema_subjects.py",
        scope="_is_unknown",
        old="error.status == HTTPStatus.NOT_FOUND and not error.retriable",
        new="error.status == HTTPStatus.NOT_FOUND",
        harm="a check passes that asked nobody",
        tests=("contract/test_schema_subjects.py",),
    ),
    Fault(
        name="a schema that is refused ends the registration",
        file="operations/schemas/registration.py",
        scope="register",
        old="yield Registration(subject=own.subject, event_type=own.event_type, failures=failures)",
        new="raise",
        harm="events of other types cannot be sent after the deploy",
        tests=("unit/management/test_event_schemas.py",),
    ),
)
