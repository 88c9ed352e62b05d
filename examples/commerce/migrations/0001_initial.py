import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Order",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("order_number", models.CharField(max_length=50, unique=True)),
                ("user_id", models.BigIntegerField()),
                ("course_key", models.CharField(max_length=255)),
                ("amount_cents", models.PositiveIntegerField()),
                ("status", models.CharField(max_length=20)),
                (
                    "enrollment",
                    models.CharField(blank=True, help_text="state of the enrolment in the LMS", max_length=20),
                ),
                ("placed_at", models.DateTimeField(default=django.utils.timezone.now)),
            ],
        ),
        migrations.CreateModel(
            name="Offer",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("user_id", models.BigIntegerField()),
                ("program_uuid", models.UUIDField()),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("user_id", "program_uuid"), name="one_offer_each")],
            },
        ),
    ]
