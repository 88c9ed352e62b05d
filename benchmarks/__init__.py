"""
Measures the cost of sending and consuming, compared with edx-event-bus-kafka and with a bare loop; the speed of a relay
on each database; lanes, latency, memory, start and idle processes.

suites/    the cases by subject, their arguments and the comparisons between them
works/     the code that a measured process runs
instructions/  counts the instructions for one event
"""
