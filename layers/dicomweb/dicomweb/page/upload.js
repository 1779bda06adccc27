// Files and folders, stored by upload sessions of many files each.

import { html, useEffect, useRef, useState } from "./preact.js";
import { text, values } from "./dicom.js";
import { megabytes, tell, tellError } from "./parts.js";
import { UploadSession } from "./upload_session.js";

const MOST_BYTES = 256e6; // of one session; a larger file has one for itself
const MOST_FILES = 2000;
const PASSED_OVER = /^\.|^(DICOMDIR|Thumbs\.db|desktop\.ini)$/i;
const FAILED = ["00081198", "0008119A"]; // FailedSOPSequence, OtherFailuresSequence
const ZIP = "application/zip";
const STORED = "00081199";
const REASON = "00081197";
const WARNING = "00081196";
const UNSENT = ["waiting", "sending", "paused", "failed"]; // can be canceled, and is lost with the page

/** Files in lots that become one body each; an archive is a body by itself. */
function lotsOf(files) {
  const lots = [];
  let lot = [];
  let bytes = 0;
  for (const file of files) {
    if (/\.zip$/i.test(file.name)) {
      lots.push([file]);
      continue;
    }
    if (lot.length && (bytes + file.size > MOST_BYTES || lot.length === MOST_FILES)) {
      lots.push(lot);
      lot = [];
      bytes = 0;
    }
    lot.push(file);
    bytes += file.size;
  }
  return lot.length ? [...lots, lot] : lots;
}

/** [body, Content-Type]; a Blob of files is read when it is sent. */
function bodyOf(lot) {
  if (lot.length === 1 && /\.zip$/i.test(lot[0].name)) return [lot[0], ZIP];
  const boundary = `part-${crypto.randomUUID()}`;
  const parts = lot.flatMap((file) => [`--${boundary}\r\nContent-Type: application/dicom\r\n\r\n`, file, "\r\n"]);
  return [new Blob([...parts, `--${boundary}--\r\n`]), `multipart/related; type="application/dicom"; boundary=${boundary}`];
}

async function filesOf(entry) {
  if (entry.isFile) return [await new Promise((resolve, reject) => entry.file(resolve, reject))];
  const reader = entry.createReader();
  const found = [];
  for (;;) { // a reader gives a hundred at a time
    const entries = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!entries.length) return found;
    for (const each of entries) found.push(...(await filesOf(each)));
  }
}

export function UploadView() {
  const sessions = useRef([]);
  const [, setTurn] = useState(0);
  const [isOver, setOver] = useState(false);
  const changed = () => setTurn((turn) => turn + 1);

  useEffect(() => {
    const ask = (event) => {
      if (sessions.current.some((each) => UNSENT.includes(each.state))) event.preventDefault();
    };
    addEventListener("beforeunload", ask);
    return () => removeEventListener("beforeunload", ask);
  }, []);

  const add = async (files) => {
    const wanted = files.filter((file) => file.size > 0 && !PASSED_OVER.test(file.name));
    const passed = files.length - wanted.length;
    if (passed) tell(`${passed} files are passed over: empty, hidden, or a DICOMDIR`);
    const added = lotsOf(wanted).map((lot) => {
      const session = new UploadSession(...bodyOf(lot), changed);
      session.files = lot;
      return session;
    });
    sessions.current = [...sessions.current, ...added];
    changed();
    for (const session of added) if (session.state === "waiting") await session.run(); // one at a time
  };
  const drop = async (event) => {
    event.preventDefault();
    setOver(false);
    const entries = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry()).filter(Boolean);
    add((await Promise.all(entries.map(filesOf))).flat());
  };
  const over = (event) => {
    event.preventDefault();
    setOver(true);
  };
  const choose = (event) => {
    add([...event.target.files]);
    event.target.value = "";
  };
  return html`
    <h2>Upload</h2>
    <div class=${`drop ${isOver ? "over" : ""}`} onDrop=${drop} onDragOver=${over} onDragLeave=${() => setOver(false)}>
      <p>Drop files, folders, or zip archives here</p>
      <p class="actions">
        <label class="button">Choose files<input type="file" multiple onChange=${choose} /></label>
        <label class="button">Choose a folder<input type="file" webkitdirectory onChange=${choose} /></label>
      </p>
    </div>
    <ul class="uploads">${sessions.current.map((each, index) => html`<${Upload} key=${index} session=${each} />`)}</ul>`;
}

function Upload({ session }) {
  const { state, sent, blob, files } = session;
  const count = files.length;
  const isMoving = state === "sending" || state === "waiting";
  return html`<li>
    <span>${count} ${count === 1 ? "file" : "files"}, ${megabytes(blob.size)} · ${state}</span>
    <progress max=${blob.size} value=${sent} aria-label="Sent">${Math.round((100 * sent) / blob.size)} %</progress>
    <span class="actions">
      ${isMoving && html`<button type="button" onClick=${() => session.pause()}>Pause</button>`}
      ${state === "paused" && html`<button type="button" onClick=${() => session.run()}>Resume</button>`}
      ${state === "failed" && html`<button type="button" onClick=${() => session.run()}>Try again</button>`}
      ${UNSENT.includes(state) && html`<button type="button" onClick=${() => session.cancel().catch(tellError)}>Cancel</button>`}
    </span>
    ${session.problem && state === "failed" && html`<p class="error">${session.problem}</p>`}
    ${state === "done" && html`<${Outcome} session=${session} />`}
  </li>`;
}

function Outcome({ session }) {
  const response = session.outcome;
  const stored = values(response, STORED);
  const failed = FAILED.flatMap((tag) => values(response, tag));
  const warned = stored.filter((each) => values(each, WARNING).length > 0);
  return html`<p>${stored.length} instances are stored${failed.length > 0 && html`, <strong>${failed.length} are not</strong>`}.</p>
    <${Remarks} label="Not stored" tag=${REASON} kind="failure reason" items=${failed} session=${session} />
    <${Remarks} label="Stored with a warning" tag=${WARNING} kind="warning" items=${warned} session=${session} />`;
}

function Remarks({ label, tag, kind, items, session }) {
  if (!items.length) return null;
  const said = (item) => [
    text(item, "00081155"),
    ...values(item, tag).map((code) => `${kind} ${code.toString(16).toUpperCase().padStart(4, "0")}`),
    named(session, text(item, "00000902")),
  ];
  return html`<ul class="remarks" tabindex="0" aria-label=${label}>
    ${items.map((item) => html`<li>${said(item).filter(Boolean).join(" · ")}</li>`)}
  </ul>`;
}

/** A comment on a part of the body, as one on the file that it is. */
function named(session, comment) {
  if (session.contentType === ZIP) return comment;
  return comment.replace(/^part (\d+)(?=:)/, (part, number) => pathOf(session.files[number - 1]) ?? part);
}

const pathOf = (file) => file && (file.webkitRelativePath || file.name);
