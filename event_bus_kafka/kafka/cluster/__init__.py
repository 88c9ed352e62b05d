"""A Kafka cluster: its topics, and the consumer groups that read these topics."""
