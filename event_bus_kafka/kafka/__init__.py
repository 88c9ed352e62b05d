"""
The only package that talks to Kafka and the schema registry. Its functions return no objects of a client library; only
callbacks of the type ``Report`` get such objects.
"""
