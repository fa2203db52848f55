"""The workloads: one file each, with data sources and shared model parts beside them."""
