// A study: its series with thumbnails, their instances, and what can be done with each.

import { html, useState } from "./preact.js";
import { date, instancePath, seriesPath, studyPath, TAGS, text, values } from "./dicom.js";
import { Action, Confirmed, Dialog, Picture, tell, useLoaded } from "./parts.js";
import { info, servers, sourceOf, urlOf } from "./server.js";
import { InstanceDialog } from "./instance.js";

const byNumber = (tag) => (one, other) => Number(values(one, tag)[0] ?? 0) - Number(values(other, tag)[0] ?? 0);

export function StudyView({ source: name, study, go }) {
  const source = sourceOf(name);
  const path = studyPath(study);
  const [found, error] = useLoaded(async () => {
    const [[row], series] = await Promise.all([
      source.search("studies", { StudyInstanceUID: study, includefield: [TAGS.description, TAGS.modalities].join(",") }),
      source.search(`${path}/series`, { includefield: [TAGS.seriesDescription, TAGS.instancesOfSeries].join(",") }),
    ]);
    return { row, series: series.sort(byNumber(TAGS.seriesNumber)) };
  }, [name, study]);
  const [operations] = useLoaded(() => (name ? servers.operations(name) : ["delete"]), [name]);
  const back = () => go("archive");
  const does = { source, study, canDelete: (operations ?? []).includes("delete"), gone: back };
  if (error) return html`<p class="error" role="alert">${error.message}</p><button type="button" onClick=${back}>Back</button>`;
  if (!found) return html`<p aria-busy="true">Loading …</p>`;
  const { row, series } = found;
  return html`
    <p><button type="button" onClick=${back}>← Back to the search</button></p>
    <section class="study" aria-label="Study">
      <h2>${text(row, TAGS.patientName) || "(no name)"}</h2>
      <dl>
        <dt>Patient ID</dt><dd>${text(row, TAGS.patientId)}</dd>
        <dt>Date</dt><dd>${date(text(row, TAGS.studyDate))}</dd>
        <dt>Study</dt><dd>${text(row, TAGS.description)} ${text(row, TAGS.modalities)}</dd>
        <dt>Accession</dt><dd>${text(row, TAGS.accession)}</dd>
        <dt>Where</dt><dd>${name || "This archive"}</dd>
      </dl>
      <p class="actions">
        <${Transfers} ...${does} uids=${[study]} />
        ${!name && html`<a class="button" href=${urlOf(`${path}?accept=application/zip`)} download>Download</a>`}
        ${!name && info.ViewerUrl && html`<a class="button" target="_blank" rel="noopener noreferrer"
          href=${info.ViewerUrl.replace("{study}", encodeURIComponent(study))}>Open in viewer</a>`}
      </p>
    </section>
    <ul class="series">${series.map((each) => html`<${Series} key=${text(each, TAGS.seriesUid)} row=${each} ...${does} />`)}</ul>`;
}

function Series({ row, source, study, canDelete, gone }) {
  const [open, setOpen] = useState(false);
  const [isGone, setGone] = useState(false);
  const series = text(row, TAGS.seriesUid);
  const path = seriesPath(study, series);
  const title = text(row, TAGS.seriesDescription) || `Series ${text(row, TAGS.seriesNumber)}`;
  if (isGone) return null;
  return html`<li>
    <button type="button" class="thumbnail" aria-expanded=${open} onClick=${() => setOpen(!open)}>
      <${Picture} source=${source} path=${`${path}/thumbnail`} args=${{ viewport: "160,160" }} label="" />
      <span class="title">${title}</span>
      <span>${text(row, TAGS.modality)} · ${text(row, TAGS.instancesOfSeries) || "?"} instances</span>
    </button>
    ${open && html`<${Instances} ...${{ source, study, series, title }} />`}
    <p class="actions"><${Transfers} ...${{ source, study, canDelete }} uids=${[study, series]} gone=${() => setGone(true)} /></p>
  </li>`;
}

function Instances({ source, study, series, title }) {
  const [instances, error] = useLoaded(
    async () => (await source.search(`${seriesPath(study, series)}/instances`, {})).sort(byNumber(TAGS.instanceNumber)),
    [source.name, series],
  );
  const [shown, setShown] = useState(-1);
  if (error) return html`<p class="error" role="alert">${error.message}</p>`;
  if (!instances) return html`<p aria-busy="true">Loading …</p>`;
  const uids = instances.map((each) => text(each, TAGS.sopUid));
  return html`<ol class="instances" aria-label=${`Instances of ${title}`}>
      ${instances.map((each, index) => html`<li key=${uids[index]}><button type="button" onClick=${() => setShown(index)}>
        ${text(each, TAGS.instanceNumber) || index + 1}</button></li>`)}
    </ol>
    ${shown >= 0 && html`<${InstanceDialog} source=${source} title=${title} start=${shown}
      paths=${uids.map((uid) => instancePath(study, series, uid))} onClose=${() => setShown(-1)} />`}`;
}

/** Send, retrieve, delete: of a study or a series, by its UIDs. */
function Transfers({ source, study, uids, canDelete, gone }) {
  const [sending, setSending] = useState(false);
  const series = uids[1];
  const what = series ? "series" : "study";
  const retrieve = async () => {
    const job = await servers.retrieve(source.name, series ? { Study: study, Series: series } : { Study: study });
    tell(`Retrieving the ${what}: job ${job.ID}`);
  };
  const remove = async () => {
    await source.remove(series ? seriesPath(study, series) : studyPath(study));
    tell(`The ${what} is deleted.`);
    gone();
  };
  return html`
    ${source.name
      ? html`<${Action} does=${retrieve}>Retrieve</${Action}>`
      : html`<button type="button" onClick=${() => setSending(true)}>Send …</button>`}
    ${canDelete && html`<${Confirmed} question=${`Delete this ${what}?`} confirm="Delete" does=${remove}>Delete</${Confirmed}>`}
    ${sending && html`<${SendDialog} what=${what} uid=${uids.at(-1)} onClose=${() => setSending(false)} />`}`;
}

function SendDialog({ what, uid, onClose }) {
  const [named, error] = useLoaded(servers.all, []);
  const send = async (name) => {
    const job = await servers.send(name, [uid]);
    tell(`Sending the ${what} to ${name}: job ${job.ID}`);
    onClose();
  };
  return html`<${Dialog} title=${`Send this ${what} to`} onClose=${onClose}>
    ${error && html`<p class="error" role="alert">${error.message}</p>`}
    ${named && !Object.keys(named).length && html`<p>There is no remote server; add one under Servers.</p>`}
    <p class="actions">${Object.keys(named ?? {}).map((name) => html`<${Action} does=${() => send(name)}>${name}</${Action}>`)}</p>
  </${Dialog}>`;
}
