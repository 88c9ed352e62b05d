from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Page",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("key", models.CharField(max_length=255, unique=True)),
                ("title", models.CharField(max_length=255)),
                ("changed_at", models.DateTimeField(help_text="when Discovery changed it; older events are ignored")),
            ],
        ),
    ]
