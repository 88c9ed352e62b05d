from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Seat",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("license_uuid", models.UUIDField(unique=True)),
                ("customer_uuid", models.UUIDField()),
                ("statuses", models.JSONField(default=list, help_text="all its states, in order")),
            ],
        ),
        migrations.CreateModel(
            name="Subscription",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("plan_uuid", models.UUIDField(unique=True)),
                ("customer_uuid", models.UUIDField()),
                ("is_active", models.BooleanField()),
            ],
        ),
    ]
