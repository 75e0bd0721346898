"""Keys and authorities of clusters on machines, replaced in stages by way of the declaration."""
