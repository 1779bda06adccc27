// Data sets in the DICOM JSON Model (PS3.18 Annex F), read for people.

const EMPTY = [];

export const values = (dataSet, tag) => dataSet?.[tag]?.Value ?? EMPTY;

/** A value as text; names without their carets. */
export function shown(value) {
  if (value === null || value === undefined) return "";
  if (typeof value !== "object") return String(value);
  const groups = ["Alphabetic", "Ideographic", "Phonetic"].map((group) => value[group]).filter(Boolean);
  return groups.map((group) => group.replace(/\^+$/, "").replace(/\^/g, " ")).join(" = ");
}

export const text = (dataSet, tag) => values(dataSet, tag).map(shown).join(", ");

/** YYYYMMDD as YYYY-MM-DD; anything else as it is. */
export const date = (written) => written.replace(/^(\d{4})\.?(\d\d)\.?(\d\d)$/, "$1-$2-$3");

export const TAGS = {
  accession: "00080050",
  description: "00081030",
  instanceNumber: "00200013",
  instancesOfSeries: "00201209",
  instancesOfStudy: "00201208",
  modalities: "00080061",
  modality: "00080060",
  patientId: "00100020",
  patientName: "00100010",
  seriesDescription: "0008103E",
  seriesNumber: "00200011",
  seriesUid: "0020000E",
  sopClass: "00080016",
  sopUid: "00080018",
  studyDate: "00080020",
  studyUid: "0020000D",
};

export const studyPath = (study) => `studies/${study}`;
export const seriesPath = (study, series) => `${studyPath(study)}/series/${series}`;
export const instancePath = (study, series, instance) => `${seriesPath(study, series)}/instances/${instance}`;

/** A search's arguments from what a form has; dates are its ISO ones. */
export function searchArguments(form) {
  const name = form.name.trim();
  const compact = (day) => day.replaceAll("-", "");
  const from = compact(form.from);
  const until = compact(form.until);
  const all = {
    PatientName: name && !/[*?]/.test(name) ? `*${name.replace(/\s+/g, "*")}*` : name, // some words of it
    PatientID: form.id.trim(),
    AccessionNumber: form.accession.trim(),
    StudyDate: from || until ? `${from}-${until}` : "",
    ModalitiesInStudy: form.modality.trim().toUpperCase(),
  };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value));
}
