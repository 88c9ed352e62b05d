"""
What sending and consuming cost, beside the published edx-event-bus-kafka and beside a bare loop; how fast a relay
empties the outbox of each database; lanes, latency, memory, start and idle.

suites/    which cases there are, by subject, what they read and what is compared
works/     what a process does that is measured
instructions/  the instructions of one event
"""
