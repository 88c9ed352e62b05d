"""
The catalogue of metrics: the names, types, labels and units under which lifecycle events are exported.

No metric is exported yet. ``counters`` counts lifecycle events in the memory of each process.
"""
