from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("event_bus_kafka", "0003_paused_receiver"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="parkedrecord",
            index=models.Index(fields=["shard", "topic"], name="event_bus_kafka_parked"),
        ),
    ]
