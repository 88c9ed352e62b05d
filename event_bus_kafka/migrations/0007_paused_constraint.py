from django.db import migrations, models


class Migration(migrations.Migration):
    """The new constraint comes before the old one goes: the names are unique at every moment, also backwards."""

    dependencies = [
        ("event_bus_kafka", "0006_outbox_size"),
    ]

    operations = [
        migrations.AddConstraint(
            model_name="pausedreceiver",
            constraint=models.UniqueConstraint(fields=["receiver"], name="event_bus_kafka_paused"),
        ),
        migrations.AlterField(
            model_name="pausedreceiver",
            name="receiver",
            field=models.CharField(max_length=500),
        ),
    ]
