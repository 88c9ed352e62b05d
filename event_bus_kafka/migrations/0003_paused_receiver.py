from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("event_bus_kafka", "0002_outbox"),
    ]

    operations = [
        migrations.CreateModel(
            name="PausedReceiver",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("receiver", models.CharField(max_length=500, unique=True)),
                ("paused_at", models.DateTimeField()),
            ],
        ),
    ]
