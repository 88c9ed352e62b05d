from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="CredentialChange",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("change", models.CharField(max_length=20)),
                ("course_key", models.CharField(max_length=255)),
                ("user_id", models.BigIntegerField()),
                ("username", models.CharField(max_length=150)),
                ("grade", models.CharField(blank=True, max_length=5)),
                ("status", models.CharField(max_length=20)),
                ("changed_at", models.DateTimeField()),
                ("received_at", models.DateTimeField(auto_now_add=True)),
            ],
        ),
        migrations.CreateModel(
            name="UserCredential",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("username", models.CharField(max_length=150)),
                ("course_key", models.CharField(max_length=255)),
                ("status", models.CharField(max_length=20)),
                (
                    "changed_at",
                    models.DateTimeField(help_text="when the LMS changed it; what is older is no news"),
                ),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("username", "course_key"), name="one_credential_each")],
            },
        ),
    ]
