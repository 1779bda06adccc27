"""The transactions of the Studies and URI Services, free of HTTP: store, search, retrieve, delete."""
