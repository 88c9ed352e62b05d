from typing import Any

from django.db import migrations, models


class AddIndexWithoutBlocking(migrations.AddIndex):
    """
    Adds an index to a large table while other clients write to the table. On PostgreSQL, outside of a transaction, the
    statement contains CONCURRENTLY. MySQL and MariaDB allow writes except at the beginning and the end of the
    statement. At these moments the statement waits for transactions that use the table, and writers wait for the
    statement.

    An interrupted migration can be repeated. Before that, on MySQL and MariaDB, drop the index by hand if it exists.
    """

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        if schema_editor.connection.vendor != "postgresql" or schema_editor.connection.in_atomic_block:
            super().database_forwards(app_label, schema_editor, from_state, to_state)
        elif self.allow_migrate_model(schema_editor.connection.alias, model := self._model(app_label, to_state)):
            schema_editor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {schema_editor.quote_name(self.index.name)}")
            schema_editor.add_index(model, self.index, concurrently=True)

    def database_backwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        if schema_editor.connection.vendor != "postgresql" or schema_editor.connection.in_atomic_block:
            super().database_backwards(app_label, schema_editor, from_state, to_state)
        elif self.allow_migrate_model(schema_editor.connection.alias, model := self._model(app_label, from_state)):
            schema_editor.remove_index(model, self.index, concurrently=True)

    def _model(self, app_label: str, state: Any) -> Any:
        return state.apps.get_model(app_label, self.model_name)


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ("event_bus_kafka", "0007_paused_constraint"),
    ]

    operations = [
        AddIndexWithoutBlocking(
            model_name="outboxrecord",
            index=models.Index(fields=["shard", "topic", "id", "size"], name="event_bus_kafka_outbox_topics"),
        ),
    ]
