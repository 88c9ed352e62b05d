"""Events that wait in a table: written in the transaction that emitted them, or because Kafka did not confirm them."""
