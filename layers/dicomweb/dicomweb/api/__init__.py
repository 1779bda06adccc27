"""HTTP: routers of the transactions, the application they make, and its hosts. Only here FastAPI is known."""
