from django.db import migrations, models


class Migration(migrations.Migration):
    """
    Adds the new constraint before it drops the old one, so that names are unique at any time. The same holds when the
    migration is reversed.
    """

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
