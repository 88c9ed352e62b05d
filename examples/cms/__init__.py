"""CMS (Studio): authors create and edit course runs here."""
