"""The desk's database: engine, the one writer, readers, migrations. It knows no table of its own."""
