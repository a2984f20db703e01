"""The machine on real Kafka and Postgres, without any service around it."""
