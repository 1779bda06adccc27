"""The command line client of DICOMweb servers. Of the server's package it knows `dicom/` and `errors` alone."""
