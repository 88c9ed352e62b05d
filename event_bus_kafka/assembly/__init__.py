"""
Creates this package's objects from the settings; no other room does. Modules that import models are imported only if
the app is installed.
"""
