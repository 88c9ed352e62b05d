"""The one place that makes objects as the settings say. What has models is imported only where the app is installed."""
