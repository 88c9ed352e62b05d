from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Fact",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("event_id", models.UUIDField(unique=True)),
                ("event_type", models.CharField(max_length=255)),
                ("subject", models.CharField(help_text="the key of the event", max_length=255)),
                ("occurred_at", models.DateTimeField()),
            ],
        ),
    ]
