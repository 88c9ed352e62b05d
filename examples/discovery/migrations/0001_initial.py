from django.db import migrations, models

_CHANGED_AT = "when Studio changed it; what is older is no news"


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="CourseRun",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=255)),
                ("start", models.DateTimeField()),
                ("end", models.DateTimeField(null=True)),
                ("pacing", models.CharField(max_length=20)),
                ("hidden", models.BooleanField()),
                ("invitation_only", models.BooleanField()),
                ("changed_at", models.DateTimeField(help_text=_CHANGED_AT)),
                ("course_key", models.CharField(max_length=255, unique=True)),
            ],
            options={"abstract": False},
        ),
        migrations.CreateModel(
            name="CourseRunChange",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=255)),
                ("start", models.DateTimeField()),
                ("end", models.DateTimeField(null=True)),
                ("pacing", models.CharField(max_length=20)),
                ("hidden", models.BooleanField()),
                ("invitation_only", models.BooleanField()),
                ("changed_at", models.DateTimeField(help_text=_CHANGED_AT)),
                ("course_key", models.CharField(max_length=255)),
                ("received_at", models.DateTimeField(auto_now_add=True)),
            ],
            options={"abstract": False},
        ),
    ]
