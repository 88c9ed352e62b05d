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
            name="CourseRun",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("course_key", models.CharField(max_length=255, unique=True)),
                ("name", models.CharField(max_length=255)),
                ("start", models.DateTimeField()),
                ("end", models.DateTimeField(null=True)),
                ("pacing", models.CharField(default="instructor", max_length=20)),
                ("hidden", models.BooleanField(default=False)),
                ("invitation_only", models.BooleanField(default=False)),
                ("modified", models.DateTimeField()),
            ],
        ),
    ]
