"""
What sending and consuming cost, beside the published edx-event-bus-kafka and beside a bare loop; how fast a relay
empties the outbox of each database, beside a bare producer.
"""
