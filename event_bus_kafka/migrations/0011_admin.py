from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("event_bus_kafka", "0010_heartbeats_and_history"),
    ]

    operations = [
        migrations.CreateModel(
            name="EventBus",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
            ],
            options={
                "verbose_name": "event bus",
                "verbose_name_plural": "overview",
                "permissions": [
                    ("view_event_bus", "Can look at the event bus, personal data masked"),
                    ("operate_event_bus", "Can pause and resume receivers, and release parked events"),
                    ("discard_event_bus", "Can discard events for good"),
                    ("unmask_event_bus", "Can look at the data of events, personal data unmasked"),
                    ("replay_event_bus", "Can give events to receivers again"),
                ],
                "managed": False,
                "default_permissions": (),
            },
        ),
        migrations.AlterModelOptions(
            name="deadletter",
            options={"verbose_name": "dead letter", "verbose_name_plural": "dead letters"},
        ),
        migrations.AlterModelOptions(
            name="heartbeat",
            options={"verbose_name": "worker or relay", "verbose_name_plural": "workers and relays"},
        ),
        migrations.AlterModelOptions(
            name="historyrow",
            options={"verbose_name": "event", "verbose_name_plural": "events"},
        ),
        migrations.AlterModelOptions(
            name="parkedrecord",
            options={"verbose_name": "parked event", "verbose_name_plural": "outbox"},
        ),
        migrations.AddField(
            model_name="pausedreceiver",
            name="reason",
            field=models.CharField(max_length=500, null=True),
        ),
    ]
