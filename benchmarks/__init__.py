"""
Measures the cost of sending and consuming with this package, edx-event-bus-kafka and a bare loop. Also measures a
relay's speed on each database, the effect of lanes, the latency of events, the memory and the start of processes, and
the cost of idle processes.

    suites/    the cases by subject, their arguments and the comparisons between them
    works/     the code that a measured process runs
    instructions/  counts the instructions for one event
"""
