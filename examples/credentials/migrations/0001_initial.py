from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="CourseRun",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("course_key", models.CharField(max_length=255, unique=True)),
                ("title", models.CharField(max_length=255)),
                ("changed_at", models.DateTimeField(help_text="when Discovery changed it; older events are ignored")),
            ],
        ),
        migrations.CreateModel(
            name="CredentialChange",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("username", models.CharField(max_length=150)),
                ("course_key", models.CharField(max_length=255)),
                ("status", models.CharField(max_length=20)),
            ],
        ),
        migrations.CreateModel(
            name="Program",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("uuid", models.UUIDField(unique=True)),
                ("title", models.CharField(max_length=255)),
                ("course_run_keys", models.JSONField(default=list)),
                ("changed_at", models.DateTimeField(help_text="as above")),
            ],
        ),
        migrations.CreateModel(
            name="ProgramInterest",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("user_id", models.BigIntegerField()),
                ("program_uuid", models.UUIDField()),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("user_id", "program_uuid"), name="one_interest_each")],
            },
        ),
        migrations.CreateModel(
            name="UserCredential",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("username", models.CharField(max_length=150)),
                ("course_key", models.CharField(max_length=255)),
                ("status", models.CharField(max_length=20)),
                ("changed_at", models.DateTimeField(help_text="when the LMS changed it; older events are ignored")),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("username", "course_key"), name="one_credential_each")],
            },
        ),
        migrations.CreateModel(
            name="UserGrade",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("user_id", models.BigIntegerField()),
                ("course_key", models.CharField(max_length=255)),
                ("percent", models.FloatField()),
                ("letter", models.CharField(blank=True, max_length=5)),
                ("passed_at", models.DateTimeField(null=True)),
                ("changed_at", models.DateTimeField(help_text="when the LMS changed it; older events are ignored")),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("user_id", "course_key"), name="one_grade_each")],
            },
        ),
    ]
