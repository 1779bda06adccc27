"""A serverless DICOMweb origin server (DICOM PS3.18): api → transactions → archive → dicom → settings, errors."""
