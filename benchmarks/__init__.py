"""What sending and consuming cost, beside the published edx-event-bus-kafka and beside a bare loop."""
