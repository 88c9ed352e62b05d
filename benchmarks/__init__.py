"""
Measures the cost of sending and consuming with this package, edx-event-bus-kafka and a bare loop. Also measures the
speed of a relay on each database, lanes, latency, memory, the start of a process, and idle processes.

    suites/    the cases by subject, their arguments and the comparisons between them
    works/     the code that a measured process runs
    instructions/  counts the instructions for one event
"""
