import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    """Adds the table of requested runs: replays of topics, and backfills, that workers do."""

    dependencies = [
        ("event_bus_kafka", "0012_replay_requests"),
    ]

    operations = [
        migrations.CreateModel(
            name="RequestedRun",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("kind", models.CharField(choices=[("topic", "Topic"), ("backfill", "Backfill")], max_length=16)),
                ("group", models.CharField(max_length=255)),
                ("arguments", models.JSONField()),
                ("progress", models.JSONField()),
                ("holder", models.UUIDField(null=True)),
                (
                    "request",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="run",
                        to="event_bus_kafka.replayrequest",
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["group"], name="event_bus_kafka_run")],
            },
        ),
    ]
