"""HTTP/1.1 over bytes (RFC 9112): one grammar for client, ETL servers and local cluster."""
