"""The book of record: PostgreSQL, our own small server or a given one, its schema and its named queries."""
