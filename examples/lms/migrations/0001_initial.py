from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Certificate",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("user_id", models.BigIntegerField()),
                ("username", models.CharField(max_length=150)),
                ("course_key", models.CharField(max_length=255)),
                ("grade", models.CharField(blank=True, max_length=5)),
                ("status", models.CharField(max_length=20)),
                ("modified", models.DateTimeField()),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("user_id", "course_key"), name="one_per_learner_and_course")
                ],
            },
        ),
    ]
