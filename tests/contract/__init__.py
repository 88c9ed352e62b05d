"""
Tests of the behaviour of Kafka and registry on which the package relies. They run on the sandbox and on real services.
"""
