from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("event_bus_kafka", "0009_dead_letter_entries"),
    ]

    operations = [
        migrations.CreateModel(
            name="Heartbeat",
            fields=[
                ("id", models.UUIDField(primary_key=True, serialize=False)),
                ("kind", models.CharField(max_length=16)),
                ("host", models.CharField(max_length=255)),
                ("pid", models.BigIntegerField()),
                ("service", models.CharField(max_length=255)),
                ("version", models.CharField(max_length=64)),
                ("group", models.CharField(max_length=255)),
                ("topics", models.JSONField()),
                ("period", models.FloatField()),
                ("started_at", models.BigIntegerField()),
                ("beat_at", models.BigIntegerField(db_index=True)),
                ("stopped_at", models.BigIntegerField(null=True)),
                ("state", models.JSONField()),
            ],
        ),
        migrations.CreateModel(
            name="HistoryRow",
            fields=[
                ("id", models.UUIDField(primary_key=True, serialize=False)),
                ("span", models.IntegerField()),
                ("begins", models.BigIntegerField()),
                ("service", models.CharField(max_length=255)),
                ("event_type", models.CharField(max_length=255)),
                ("receiver", models.CharField(max_length=500)),
                ("outcome", models.CharField(max_length=32)),
                ("count", models.BigIntegerField()),
                ("seconds", models.FloatField()),
                ("longest", models.FloatField()),
            ],
            options={
                "indexes": [models.Index(fields=["span", "begins"], name="event_bus_kafka_history")],
            },
        ),
    ]
