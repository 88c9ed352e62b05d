from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Taste",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("user_id", models.BigIntegerField()),
                ("course_key", models.CharField(max_length=255)),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("user_id", "course_key"), name="each_taste_once")],
            },
        ),
    ]
