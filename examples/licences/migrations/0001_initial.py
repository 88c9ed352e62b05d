import uuid

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="CatalogEntry",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("course_key", models.CharField(max_length=255, unique=True)),
                ("title", models.CharField(max_length=255)),
                ("status", models.CharField(max_length=20)),
                ("changed_at", models.DateTimeField(help_text="when Discovery changed it; older events are ignored")),
            ],
        ),
        migrations.CreateModel(
            name="SubscriptionPlan",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("uuid", models.UUIDField(default=uuid.uuid4, unique=True)),
                ("customer_uuid", models.UUIDField()),
                ("title", models.CharField(max_length=255)),
                ("start_date", models.DateTimeField()),
                ("expiration_date", models.DateTimeField()),
                ("num_licenses", models.PositiveIntegerField()),
                ("is_active", models.BooleanField(default=True)),
            ],
        ),
        migrations.CreateModel(
            name="LicensedEnrollment",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("user_id", models.BigIntegerField()),
                ("course_key", models.CharField(max_length=255)),
                ("is_active", models.BooleanField()),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("user_id", "course_key"), name="one_licensed_enrollment_each")
                ],
            },
        ),
        migrations.CreateModel(
            name="License",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("uuid", models.UUIDField(default=uuid.uuid4, unique=True)),
                ("user_email", models.EmailField(blank=True, max_length=254)),
                ("user_id", models.BigIntegerField(null=True)),
                ("status", models.CharField(default="unassigned", max_length=20)),
                (
                    "plan",
                    models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to="licences.subscriptionplan"),
                ),
            ],
        ),
    ]
