"""The bodies of calls to remote servers, with the fields and defaults of Orthanc's DICOMweb client."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from dicomweb.server_definition import check_headers

_MOST_RESOURCES = 100_000

Headers = Annotated[dict[str, str], AfterValidator(check_headers)]


class Call(BaseModel):
    """What is asked for by a URI."""

    model_config = ConfigDict(extra="ignore", strict=True)

    Uri: str = Field(min_length=1, max_length=2048)
    Arguments: dict[str, str] = {}
    HttpHeaders: Headers = {}


class JobOptions(BaseModel):
    """How a job is run; Asynchronous counts where Synchronous is left out."""

    model_config = ConfigDict(extra="ignore", strict=True)

    Synchronous: bool | None = None
    Asynchronous: bool | None = None
    Priority: int = 0
    Debug: bool = False
    HttpHeaders: Headers = {}

    def is_synchronous(self, otherwise: bool) -> bool:
        if self.Synchronous is not None:
            return self.Synchronous
        return otherwise if self.Asynchronous is None else not self.Asynchronous


class StowCall(JobOptions):
    """What is sent: Orthanc's identifiers, or DICOM UIDs."""

    Resources: list[str] = Field(max_length=_MOST_RESOURCES)


class Wanted(BaseModel):
    """A study, a series of it, or an instance of that."""

    model_config = ConfigDict(extra="forbid", strict=True)

    Study: str
    Series: str = ""
    Instance: str = ""


class RetrieveCall(JobOptions):
    """What is retrieved."""

    Resources: list[Wanted] = Field(max_length=_MOST_RESOURCES)
    Arguments: dict[str, str] = {}
    GetArguments: dict[str, str] = {}


class WadoCall(JobOptions, Call):
    """A URI whose instances are retrieved."""


class DeleteCall(BaseModel):
    """What is deleted."""

    model_config = ConfigDict(extra="ignore", strict=True)

    Level: str
    StudyInstanceUID: str
    SeriesInstanceUID: str = ""
    SOPInstanceUID: str = ""
