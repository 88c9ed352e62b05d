from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("event_bus_kafka", "0005_inboxmark"),
    ]

    operations = [
        # 0 for rows that wait meanwhile: they count as small
        *(
            migrations.AddField(
                model_name=model, name="size", field=models.IntegerField(default=0), preserve_default=False
            )
            for model in ("outboxrecord", "parkedrecord")
        ),
        migrations.RemoveIndex(model_name="outboxrecord", name="event_bus_kafka_outbox"),
        migrations.AddIndex(
            model_name="outboxrecord",
            index=models.Index(fields=["shard", "id", "size"], name="event_bus_kafka_outbox_sizes"),
        ),
    ]
