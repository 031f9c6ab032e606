"""WHO becomes whom: the only room that sees identifiers and keys. No database, no data frames, no network."""
