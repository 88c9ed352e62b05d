"""
Events of this platform that openedx-events does not define. Each service that sends or reads them installs this app.
"""
