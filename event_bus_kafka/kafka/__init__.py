"""The only package that talks to Kafka and the schema registry. It hands out no object of a client library."""
