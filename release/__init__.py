"""What leaves, and to whom: protection, tables, pages, and the gate."""
