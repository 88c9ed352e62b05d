"""Events that wait in a table: inserted in the transaction that emitted them, or after Kafka did not confirm them."""
