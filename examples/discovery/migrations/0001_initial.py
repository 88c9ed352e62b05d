import uuid

from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="CourseRun",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("uuid", models.UUIDField(default=uuid.uuid4)),
                ("course_uuid", models.UUIDField(default=uuid.uuid4)),
                ("course_key", models.CharField(max_length=255, unique=True)),
                ("title", models.CharField(max_length=255)),
                ("start", models.DateTimeField(null=True)),
                ("end", models.DateTimeField(null=True)),
                ("hidden", models.BooleanField(default=False)),
                ("status", models.CharField(default="unpublished", max_length=20)),
                (
                    "edited_at",
                    models.DateTimeField(help_text="when Studio changed it; older events are ignored", null=True),
                ),
                ("indexed_at", models.DateTimeField(null=True)),
                ("modified", models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name="CourseRunChange",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("course_key", models.CharField(max_length=255)),
                ("title", models.CharField(max_length=255)),
                ("hidden", models.BooleanField()),
            ],
        ),
        migrations.CreateModel(
            name="Program",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("uuid", models.UUIDField(default=uuid.uuid4, unique=True)),
                ("title", models.CharField(max_length=255)),
                ("status", models.CharField(default="active", max_length=20)),
                ("course_run_keys", models.JSONField(default=list)),
                ("modified", models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name="Reindexing",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("course_key", models.CharField(max_length=255, unique=True)),
            ],
        ),
    ]
