"""The client of remote DICOMweb servers. The only place that knows the HTTP client."""
