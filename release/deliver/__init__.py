"""One protected cube, several faces: CSV, Parquet, XLSX, SDMX-CSV, CSV-W; and the reading back of each."""
