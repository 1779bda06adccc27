"""Who asks: the authorizer of the API."""

from dicomweb.api.authorizer import authorizer_handler

handler = authorizer_handler()
