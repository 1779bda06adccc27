"""The index as somebody sees it who may see studies with some labels alone: the others are not there.

All that is read leads through it, so that a hidden study cannot be told from one that does not exist.
"""

from dicomweb.archive.index import Index
from dicomweb.archive.rows import InstanceRow, NewInstance, SeriesRow, StudyRow


class SeenIndex(Index):
    """One index, for one request: what was seen of a study's labels counts until it ends."""

    def __init__(self, index: Index, labels: frozenset[str]) -> None:
        super().__init__(index.table)
        self._known_months = index._known_months
        self._labels = labels
        self._seen: dict[str, bool] = {}

    def studies(self, uids: list[str]) -> dict[str, StudyRow]:
        return {uid: row for uid, row in super().studies(uids).items() if self._look(row)}

    def study(self, study: str) -> StudyRow | None:
        row = super().study(study)
        return row if row and self._look(row) else None

    def study_with_series(self, study: str) -> tuple[StudyRow | None, list[SeriesRow]]:
        row, series = super().study_with_series(study)
        return (row, series) if row and self._look(row) else (None, [])

    def series_of(self, study: str) -> list[SeriesRow]:
        return super().series_of(study) if self._is_seen(study) else []

    def one_series(self, study: str, series: str) -> SeriesRow | None:
        return super().one_series(study, series) if self._is_seen(study) else None

    def instances_of(self, study: str, series: str) -> list[InstanceRow]:
        return super().instances_of(study, series) if self._is_seen(study) else []

    def instance(self, study: str, series: str, instance: str) -> InstanceRow | None:
        return super().instance(study, series, instance) if self._is_seen(study) else None

    def paths_of_uid(self, uid: str) -> list[tuple[str, str]]:
        return [path for path in super().paths_of_uid(uid) if self._is_seen(path[0])]

    def path_of_orthanc_id(self, identifier: str) -> tuple[str, ...]:
        path = super().path_of_orthanc_id(identifier)
        return path if path and self._is_seen(path[0]) else ()

    def studies_of_patient(self, identifier: str) -> list[str]:
        return [study for study in super().studies_of_patient(identifier) if self._is_seen(study)]

    def is_buried(self, study: str, series: str, instance: str) -> bool:  # noqa: ARG002
        """What was deleted may have been hidden; the labels are gone with it."""
        return False

    def add(self, instances: list[NewInstance]) -> dict[str, InstanceRow]:
        """A study that they store first has their labels."""
        for new in instances:
            new.labels |= self._labels
        return super().add(instances)

    def _is_seen(self, study: str) -> bool:
        if study not in self._seen:
            self.study(study)
        return self._seen.get(study, False)

    def _look(self, row: StudyRow) -> bool:
        seen = self._seen[row.study] = bool(row.labels & self._labels)
        return seen
