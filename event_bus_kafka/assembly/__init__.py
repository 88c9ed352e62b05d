"""
Creates this package's objects from the settings; no other part of the package does. Modules that import models are
imported only if the app is installed.
"""
