"""The DICOM Standard as pure functions on bytes and dicts, with the standard library and pydicom's dictionaries."""
