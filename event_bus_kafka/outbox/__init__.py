"""
Events that wait in a table until a relay sends them. They are inserted in the transaction in which they were emitted,
or after Kafka did not confirm them.
"""
