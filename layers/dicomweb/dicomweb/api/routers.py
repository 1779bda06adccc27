"""The routers of all transactions: what a server can do."""

from dicomweb.api import (
    bulk_data,
    conflicts,
    delete,
    frames,
    jobs,
    labels,
    metadata,
    metadata_cache,
    orthanc,
    rendered,
    retrieve,
    search,
    servers,
    store,
    uploads,
    wado_uri,
)

_MODULES = (
    search, retrieve, metadata, metadata_cache, frames, rendered, bulk_data,
    store, uploads, conflicts, delete, wado_uri, servers, jobs, orthanc, labels,
)  # fmt: skip
TRANSACTIONS = tuple(module.router for module in _MODULES)
