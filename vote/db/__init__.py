"""PostgreSQL: the only folder with SQL. One module per subject, one function per query; nobody commits but the pool."""
