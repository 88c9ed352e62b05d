"""CMS (Studio): course runs are made and edited here."""
