from typing import Any

from django.db import migrations, models

MODELS = ("outboxrecord", "parkedrecord")


def measure(apps: Any, schema_editor: Any) -> None:
    """Set ``size`` in the rows that were inserted before this migration."""
    key = schema_editor.quote_name("key")
    size = f"LENGTH({key}) + COALESCE(LENGTH(body), 0) + LENGTH(headers)"
    with schema_editor.connection.cursor() as cursor:
        for model in MODELS:
            cursor.execute(f"UPDATE event_bus_kafka_{model} SET size = {size}")


class Migration(migrations.Migration):
    dependencies = [
        ("event_bus_kafka", "0005_inboxmark"),
    ]

    operations = [
        *(migrations.AddField(model_name=model, name="size", field=models.IntegerField(null=True)) for model in MODELS),
        migrations.RunPython(measure, migrations.RunPython.noop),
        migrations.AddIndex(
            model_name="outboxrecord",
            index=models.Index(fields=["shard", "id", "size"], name="event_bus_kafka_outbox_sizes"),
        ),
        migrations.RemoveIndex(model_name="outboxrecord", name="event_bus_kafka_outbox"),
    ]
