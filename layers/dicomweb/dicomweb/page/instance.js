// An instance: its picture with windowing and frames, and its attributes.

import { html, useEffect, useRef, useState } from "./preact.js";
import { shown, values } from "./dicom.js";
import { Dialog, Picture, useLoaded } from "./parts.js";

const CENTER = "00281050";
const WIDTH = "00281051";
const FRAMES = "00280008";
const BINARY_VRS = new Set(["OB", "OD", "OF", "OL", "OV", "OW", "UN"]);

let keywords; // of all attributes by tag, once they are there

async function loadKeywords() {
  keywords ??= await (await fetch("keywords.json")).json();
  return keywords;
}

export function InstanceDialog({ source, paths, start, title, onClose }) {
  const [index, setIndex] = useState(start);
  const path = paths[index];
  const [dataSet, error] = useLoaded(async () => {
    const [[found]] = await Promise.all([source.metadata(path), loadKeywords()]);
    return found;
  }, [source.name, path]);
  const step = (event) => {
    const by = { PageDown: 1, PageUp: -1 }[event.key];
    if (!by || !paths[index + by]) return;
    event.preventDefault();
    setIndex(index + by);
  };
  return html`<${Dialog} title=${`${title}: ${index + 1} of ${paths.length}`} wide onClose=${onClose}>
    <div class="instance" onKeyDown=${step}>
      <p class="actions">
        <button type="button" disabled=${index === 0} onClick=${() => setIndex(index - 1)}>Previous</button>
        <button type="button" disabled=${index === paths.length - 1} onClick=${() => setIndex(index + 1)}>Next</button>
      </p>
      ${error && html`<p class="error" role="alert">${error.message}</p>`}
      ${dataSet && html`<${Viewer} key=${path} source=${source} path=${path} dataSet=${dataSet} />`}
      ${dataSet && html`<${Attributes} dataSet=${dataSet} />`}
    </div>
  </${Dialog}>`;
}

function Viewer({ source, path, dataSet }) {
  const frames = Number(values(dataSet, FRAMES)[0] ?? 1);
  const stored = { center: Number(values(dataSet, CENTER)[0] ?? NaN), width: Number(values(dataSet, WIDTH)[0] ?? NaN) };
  const [frame, setFrame] = useState(1);
  const [window_, setWindow] = useState(null); // null: as it is stored
  const [picture, setPicture] = useState({ frame: 1, window_: null }); // what is asked for, some time behind
  const drag = useRef(null);
  useEffect(() => {
    const later = setTimeout(() => setPicture({ frame, window_ }), 120); // ms; not one request for each pixel
    return () => clearTimeout(later);
  }, [frame, window_]);
  const now = window_ ?? { center: stored.center || 0, width: stored.width || 256 };
  const set = (name) => (event) => setWindow({ ...now, [name]: Number(event.target.value) });
  const press = (event) => {
    drag.current = { x: event.clientX, y: event.clientY, ...now };
    event.currentTarget.setPointerCapture(event.pointerId);
  };
  const move = (event) => {
    if (!drag.current) return;
    const { x, y, center, width } = drag.current;
    const scale = Math.max(width, 1) / 256;
    setWindow({
      center: Math.round(center + (event.clientY - y) * scale),
      width: Math.max(1, Math.round(width + (event.clientX - x) * scale)),
    });
  };
  const args = {
    ...(picture.window_ ? { window: `${picture.window_.center},${picture.window_.width},linear` } : {}),
    viewport: "1024,1024",
  };
  const shownPath = frames > 1 ? `${path}/frames/${picture.frame}/rendered` : `${path}/rendered`;
  return html`
    <div class="picture" onPointerDown=${press} onPointerMove=${move} onPointerUp=${() => { drag.current = null; }}
      title="Drag to change the window">
      <${Picture} source=${source} path=${shownPath} args=${args} label=${`Frame ${picture.frame}`} />
    </div>
    <div class="controls">
      ${frames > 1 && html`<label><span>Frame ${frame} of ${frames}</span>
        <input type="range" min="1" max=${frames} value=${frame} onInput=${(event) => setFrame(Number(event.target.value))} /></label>`}
      <label><span>Window centre</span><input type="number" step="any" value=${now.center} onInput=${set("center")} /></label>
      <label><span>Window width</span><input type="number" step="any" min="1" value=${now.width} onInput=${set("width")} /></label>
      <button type="button" onClick=${() => setWindow(null)}>As stored</button>
    </div>`;
}

function Attributes({ dataSet }) {
  return html`<details><summary>Attributes</summary>
    <table class="attributes"><thead><tr><th>Tag</th><th>Keyword</th><th>VR</th><th>Value</th></tr></thead>
      <tbody>${rowsOf(dataSet, 0)}</tbody>
    </table>
  </details>`;
}

function rowsOf(dataSet, depth) {
  return Object.entries(dataSet).flatMap(([tag, element]) => {
    const own = html`<tr class=${`depth-${Math.min(depth, 4)}`}>
      <td>${tag}</td><td>${keywords[tag] ?? ""}</td><td>${element.vr}</td><td>${written(element)}</td></tr>`;
    const items = element.vr === "SQ" ? (element.Value ?? []) : [];
    return [own, ...items.flatMap((item) => rowsOf(item, depth + 1))];
  });
}

function written(element) {
  if (element.vr === "SQ") return `${(element.Value ?? []).length} items`;
  if (element.BulkDataURI || BINARY_VRS.has(element.vr)) return "(bulk data)";
  const value = (element.Value ?? []).map(shown).join(" \\ ");
  return value.length > 300 ? `${value.slice(0, 300)} …` : value;
}
