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
            name="JournalEntry",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("order_number", models.CharField(max_length=50)),
                ("status", models.CharField(max_length=20)),
            ],
        ),
        migrations.CreateModel(
            name="License",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("uuid", models.UUIDField(unique=True)),
                ("statuses", models.JSONField(default=list, help_text="all its states, in order")),
                ("changed_at", models.DateTimeField(help_text="when it was changed; older events are ignored")),
            ],
        ),
        migrations.CreateModel(
            name="Maintenance",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("part", models.CharField(max_length=20, unique=True)),
            ],
        ),
        migrations.CreateModel(
            name="Booking",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("order_number", models.CharField(max_length=50)),
                ("status", models.CharField(max_length=20)),
                ("amount_cents", models.IntegerField()),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("order_number", "status"), name="booked_once")],
            },
        ),
        migrations.CreateModel(
            name="Certificate",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("user_id", models.BigIntegerField()),
                ("course_key", models.CharField(max_length=255)),
                ("modified", models.DateTimeField(auto_now=True)),
                ("status", models.CharField(max_length=20)),
            ],
            options={
                "abstract": False,
                "constraints": [models.UniqueConstraint(fields=("user_id", "course_key"), name="one_certificate_each")],
            },
        ),
        migrations.CreateModel(
            name="CourseRole",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("user_id", models.BigIntegerField()),
                ("course_key", models.CharField(max_length=255)),
                ("role", models.CharField(max_length=20)),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("user_id", "course_key", "role"), name="each_role_once")
                ],
            },
        ),
        migrations.CreateModel(
            name="Enrollment",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("user_id", models.BigIntegerField()),
                ("course_key", models.CharField(max_length=255)),
                ("modified", models.DateTimeField(auto_now=True)),
                ("mode", models.CharField(default="audit", max_length=20)),
                ("is_active", models.BooleanField(default=True)),
                ("created", models.DateTimeField(auto_now_add=True)),
            ],
            options={
                "abstract": False,
                "constraints": [models.UniqueConstraint(fields=("user_id", "course_key"), name="one_enrollment_each")],
            },
        ),
        migrations.CreateModel(
            name="ExamConsequence",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("what", models.CharField(max_length=20)),
                ("user_id", models.BigIntegerField()),
                ("course_key", models.CharField(max_length=255)),
                ("change", models.CharField(max_length=20)),
                ("event_id", models.UUIDField()),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("event_id", "what"), name="one_consequence_each")],
            },
        ),
        migrations.CreateModel(
            name="Grade",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("user_id", models.BigIntegerField()),
                ("course_key", models.CharField(max_length=255)),
                ("modified", models.DateTimeField(auto_now=True)),
                ("percent", models.FloatField()),
                ("passed_at", models.DateTimeField(null=True)),
            ],
            options={
                "abstract": False,
                "constraints": [models.UniqueConstraint(fields=("user_id", "course_key"), name="one_grade_each")],
            },
        ),
    ]
