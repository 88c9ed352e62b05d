import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    """Adds the tables of replay requests. The tables do not depend on the changes of 0011."""

    dependencies = [
        ("event_bus_kafka", "0011_admin"),
    ]

    operations = [
        migrations.CreateModel(
            name="ReplayRequest",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("group", models.CharField(max_length=255)),
                ("receiver", models.CharField(max_length=500)),
                ("instead_of", models.CharField(max_length=500)),
                ("receivers", models.JSONField()),
                ("rate", models.FloatField(null=True)),
                ("stop_after", models.IntegerField()),
                ("requested_by", models.CharField(max_length=255)),
                ("reason", models.TextField()),
                ("requested_at", models.BigIntegerField()),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("requested", "Requested"),
                            ("running", "Running"),
                            ("paused", "Paused"),
                            ("done", "Done"),
                            ("stopped", "Stopped"),
                            ("failed", "Failed"),
                        ],
                        max_length=16,
                    ),
                ),
                ("note", models.TextField()),
                ("claimed_by", models.UUIDField(null=True)),
                ("worker", models.CharField(max_length=255)),
                ("beat_at", models.BigIntegerField(null=True)),
                ("failures_in_row", models.IntegerField(default=0)),
                ("began_at", models.BigIntegerField(null=True)),
                ("ended_at", models.BigIntegerField(null=True)),
            ],
            options={
                "indexes": [models.Index(fields=["group", "state"], name="event_bus_kafka_request")],
            },
        ),
        migrations.CreateModel(
            name="RequestedLetter",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("number", models.IntegerField()),
                ("letter", models.BigIntegerField()),
                ("topic", models.CharField(max_length=249)),
                ("partition", models.IntegerField()),
                ("offset", models.BigIntegerField()),
                ("event_type", models.CharField(max_length=255)),
                ("failed_at", models.DateTimeField()),
                ("instead_of", models.CharField(max_length=500)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("waiting", "Waiting"),
                            ("running", "Running"),
                            ("succeeded", "Succeeded"),
                            ("failed", "Failed"),
                            ("skipped", "Skipped"),
                        ],
                        max_length=16,
                    ),
                ),
                ("error", models.TextField()),
                ("claim", models.CharField(max_length=40)),
                ("tries", models.IntegerField(default=0)),
                ("changed_at", models.BigIntegerField(null=True)),
                (
                    "request",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="letters",
                        to="event_bus_kafka.replayrequest",
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["request", "state", "number"], name="event_bus_kafka_requested")],
            },
        ),
    ]
