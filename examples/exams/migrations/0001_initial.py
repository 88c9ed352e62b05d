from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="CourseStaff",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("user_id", models.BigIntegerField()),
                ("course_key", models.CharField(max_length=255)),
                ("role", models.CharField(max_length=20)),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("user_id", "course_key", "role"), name="each_staff_role_once")
                ],
            },
        ),
        migrations.CreateModel(
            name="ExamAttempt",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("user_id", models.BigIntegerField()),
                ("course_key", models.CharField(max_length=255)),
                ("status", models.CharField(max_length=20)),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("user_id", "course_key"), name="one_attempt_each")],
            },
        ),
    ]
