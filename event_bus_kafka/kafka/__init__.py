"""
The only package that talks to Kafka and the schema registry. Other packages get no objects of a client library from it,
except in callbacks of the type ``Report``.
"""
