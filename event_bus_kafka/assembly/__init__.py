"""
The only part of the package that creates its objects from the settings. Modules that import models are imported only if
the app is installed.
"""
