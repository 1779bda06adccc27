"""The error tree. Each class is named for the fault; the status of each is in `api/app.py: STATUS_OF`.

DicomWebError
├── BadRequest                 the request cannot be understood
│   ├── InvalidUID             a UID in the path or a parameter is none
│   ├── InvalidQuery           a search parameter is wrong (PS3.18 §8.3.4)
│   └── InvalidBody            the request's payload is not what its headers say
├── NotAuthenticated           who asks does not say who they are, or is not believed
├── NotAllowed                 who asks may not do this
├── TooManyFailures            too many logins failed: later
├── NotFound                   no such study, series, instance, frame or bulk data
│   └── Gone                   it was deleted
├── RangeNotSatisfiable        the bytes asked for are behind the last one
├── NotAcceptable              nothing the user agent accepts can be made (PS3.18 §8.7)
│   └── CannotDeidentify       pixel data may identify the patient, and the profile does not clean them
├── UnsupportedMediaType       the payload has a media type or coding that is not taken
├── UserAgentGone              nobody waits for the answer any more
├── SearchTooBroad             a search that would look at more rows than one request may
├── CannotTranscode            pixels that cannot be decoded, or have no form in the transfer syntax asked for
├── InvalidDicom               bytes that are no DICOM file (PS3.10); a value in a Store response, never a status
├── AddressRefused             a remote server is where none may be (its address, or its URL's scheme)
├── RemoteFailed               a remote server answered what it should not, or that it will not
│   ├── RemoteUnavailable      it did not answer, or not now: the same may succeed later
│   ├── NotFoundThere          it has no such study, series or instance
│   └── ContentRefused         it does not take what it was sent; a part of it, it may
├── JobRefused                 what a job cannot do in the state that it is in
├── BatchTaken                 another worker has this batch of a job: later
├── ArchiveBusy                the archive did not answer, or too many writers at once: try again
├── ArchiveRefused             the archive will not take or give this, however often it is asked
└── InvalidSettings            the settings are wrong; the server does not start
"""


class DicomWebError(Exception):
    """Base of all errors that are ours."""


class BadRequest(DicomWebError):
    pass


class InvalidUID(BadRequest):
    pass


class InvalidQuery(BadRequest):
    pass


class InvalidBody(BadRequest):
    pass


class NotAuthenticated(DicomWebError):
    pass


class NotAllowed(DicomWebError):
    pass


class TooManyFailures(DicomWebError):
    pass


class NotFound(DicomWebError):
    pass


class Gone(NotFound):
    pass


class RangeNotSatisfiable(DicomWebError):
    """Attributes: length: bytes there are."""

    def __init__(self, message: str, length: int) -> None:
        super().__init__(message)
        self.length = length


class NotAcceptable(DicomWebError):
    pass


class CannotDeidentify(NotAcceptable):
    pass


class UnsupportedMediaType(DicomWebError):
    pass


class UserAgentGone(DicomWebError):
    pass


class SearchTooBroad(DicomWebError):
    pass


class CannotTranscode(DicomWebError):
    pass


class InvalidDicom(DicomWebError):
    pass


class AddressRefused(DicomWebError):
    pass


class RemoteFailed(DicomWebError):
    pass


class RemoteUnavailable(RemoteFailed):
    """Attributes: wait_s: seconds that the server asks to wait; 0 for none said."""

    def __init__(self, message: str, wait_s: float = 0) -> None:
        super().__init__(message)
        self.wait_s = wait_s


class NotFoundThere(RemoteFailed):
    pass


class ContentRefused(RemoteFailed):
    pass


class BatchTaken(DicomWebError):
    pass


class JobRefused(DicomWebError):
    pass


class ArchiveBusy(DicomWebError):
    pass


class ArchiveRefused(DicomWebError):
    pass


class InvalidSettings(DicomWebError):
    pass
