from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("event_bus_kafka", "0004_parked_shard"),
    ]

    operations = [
        migrations.CreateModel(
            name="InboxMark",
            fields=[
                ("id", models.UUIDField(primary_key=True, serialize=False)),
                ("receiver", models.CharField(max_length=500)),
                ("event_id", models.UUIDField()),
                ("marked_at", models.DateTimeField(db_index=True)),
            ],
        ),
    ]
