// Studies, searched on this archive or on a remote server.

import { html, useState } from "./preact.js";
import { date, searchArguments, TAGS, text } from "./dicom.js";
import { Action, Field, tellError, useLoaded } from "./parts.js";
import { servers, sourceOf } from "./server.js";

const PAGE = 50; // studies
const EMPTY = { source: "", name: "", id: "", accession: "", from: "", until: "", modality: "" };
const FIELDS = ["studyUid", "modalities", "instancesOfStudy", "description"].map((name) => TAGS[name]).join(",");

let lastForm = EMPTY; // as it was when a study was opened

export function ArchiveView({ open }) {
  const [form, setForm] = useState(lastForm);
  const [asked, setAsked] = useState(lastForm);
  const [more, setMore] = useState([]);
  const [named] = useLoaded(() => servers.all().catch(() => ({})), []); // who may not administer has none
  const find = (offset) =>
    sourceOf(asked.source).search("studies", { ...searchArguments(asked), includefield: FIELDS, limit: PAGE, offset });
  const [first, error] = useLoaded(() => find(0), [asked]);
  const set = (name) => (event) => setForm({ ...form, [name]: event.target.value });
  const submit = (event) => {
    event.preventDefault();
    lastForm = { ...form };
    setMore([]);
    setAsked(lastForm);
  };
  const studies = [...(first ?? []), ...more];
  return html`
    <form class="search" role="search" onSubmit=${submit}>
      <label><span>Where</span>
        <select value=${form.source} onChange=${set("source")}>
          <option value="">This archive</option>
          ${Object.keys(named ?? {}).map((name) => html`<option value=${name}>${name}</option>`)}
        </select>
      </label>
      <${Field} label="Patient name" value=${form.name} onInput=${set("name")} autocomplete="off" />
      <${Field} label="Patient ID" value=${form.id} onInput=${set("id")} autocomplete="off" />
      <${Field} label="Accession number" value=${form.accession} onInput=${set("accession")} autocomplete="off" />
      <${Field} label="From" type="date" value=${form.from} onInput=${set("from")} />
      <${Field} label="Until" type="date" value=${form.until} onInput=${set("until")} />
      <${Field} label="Modality" value=${form.modality} onInput=${set("modality")} size="5" autocomplete="off" />
      <button type="submit" class="main">Search</button>
    </form>
    ${error && html`<p class="error" role="alert">${error.message}</p>`}
    ${!error && !first && html`<p aria-busy="true">Searching …</p>`}
    ${first && !studies.length && html`<p>No study fits.</p>`}
    ${studies.length > 0 && html`<${Studies} studies=${studies} open=${(study) => open(asked.source, study)} />`}
    ${first && studies.length % PAGE === 0 && studies.length > 0 && html`
      <${Action} does=${async () => {
        const found = await find(studies.length).catch(tellError);
        if (Array.isArray(found)) setMore([...more, ...found]);
      }}>More</${Action}>`}`;
}

function Studies({ studies, open }) {
  return html`<table class="cards">
    <caption>${studies.length} studies</caption>
    <thead><tr><th>Patient</th><th>ID</th><th>Date</th><th>Study</th><th>Modality</th><th>Accession</th><th>Instances</th></tr></thead>
    <tbody>${studies.map((each) => html`<tr key=${text(each, TAGS.studyUid)}>
      <td data-label="Patient"><button type="button" class="link" onClick=${() => open(text(each, TAGS.studyUid))}>
        ${text(each, TAGS.patientName) || "(no name)"}</button></td>
      <td data-label="ID">${text(each, TAGS.patientId)}</td>
      <td data-label="Date">${date(text(each, TAGS.studyDate))}</td>
      <td data-label="Study">${text(each, TAGS.description)}</td>
      <td data-label="Modality">${text(each, TAGS.modalities)}</td>
      <td data-label="Accession">${text(each, TAGS.accession)}</td>
      <td data-label="Instances">${text(each, TAGS.instancesOfStudy)}</td>
    </tr>`)}</tbody>
  </table>`;
}
