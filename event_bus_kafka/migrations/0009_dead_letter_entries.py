import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    """Adds the column ``left_out`` before the table of entries, because code uses the column if it finds the table."""

    dependencies = [
        ("event_bus_kafka", "0008_outbox_topics"),
    ]

    operations = [
        migrations.AddField(
            model_name="deadletter",
            name="left_out",
            field=models.JSONField(null=True),
        ),
        migrations.CreateModel(
            name="DeadLetterEntry",
            fields=[
                ("id", models.UUIDField(primary_key=True, serialize=False)),
                ("group", models.CharField(max_length=255)),
                ("topic", models.CharField(max_length=249)),
                ("partition", models.IntegerField()),
                ("offset", models.BigIntegerField()),
                ("event_type", models.CharField(max_length=255)),
                ("event_id", models.CharField(db_index=True, max_length=36)),
                ("receiver", models.CharField(max_length=500)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("failed", "Failed"),
                            ("succeeded", "Succeeded"),
                            ("replaced", "Replaced"),
                            ("discarded", "Discarded"),
                            ("expired", "Expired"),
                        ],
                        max_length=16,
                    ),
                ),
                ("error", models.TextField()),
                ("place", models.TextField()),
                ("attempts", models.IntegerField()),
                ("stand_in", models.CharField(max_length=500)),
                ("changed_at", models.BigIntegerField(db_index=True)),
                (
                    "letter",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="entries",
                        to="event_bus_kafka.deadletter",
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(fields=["topic", "partition", "offset"], name="event_bus_kafka_entry_record"),
                    models.Index(fields=["receiver", "state"], name="event_bus_kafka_entry_receiver"),
                ],
            },
        ),
    ]
