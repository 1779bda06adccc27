"""A serverless DICOMweb origin server (DICOM PS3.18): api → transactions → archive → dicom → settings, errors."""

__version__ = "0.1.0"
