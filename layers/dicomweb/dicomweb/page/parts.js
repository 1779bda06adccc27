// Parts that several views use.

import { html, useCallback, useEffect, useRef, useState } from "./preact.js";

const SHOWN_MS = 10_000; // what went well; what did not stays until it is closed
const listeners = new Set();

/** Tell something, in a place that screen readers read out. */
export function tell(message, kind = "done") {
  for (const listener of listeners) listener({ message, kind });
}

export const tellError = (error) => error.name !== "AbortError" && tell(error.message, "error");

export function Notices() {
  const [notice, setNotice] = useState(null);
  useEffect(() => {
    listeners.add(setNotice);
    return () => listeners.delete(setNotice);
  }, []);
  useEffect(() => {
    if (notice?.kind !== "done") return undefined;
    const timer = setTimeout(() => setNotice(null), SHOWN_MS);
    return () => clearTimeout(timer);
  }, [notice]);
  return html`<div class="notices" role="status" aria-live="polite">
    ${notice && html`<p class=${notice.kind}>${notice.message} <button class="quiet" onClick=${() => setNotice(null)}>Close</button></p>`}
  </div>`;
}

/** What a promise comes to: [value, error, load again]; asked again when one of `inputs` changes. */
export function useLoaded(load, inputs) {
  const [state, setState] = useState([undefined, null]);
  const current = useRef(0);
  const again = useCallback(() => {
    const turn = ++current.current;
    const settle = (value, error) => turn === current.current && setState([value, error]);
    Promise.resolve()
      .then(load)
      .then((value) => settle(value, null), (error) => error.name !== "AbortError" && settle(undefined, error));
  }, inputs);
  useEffect(again, [again]);
  useEffect(() => () => { current.current = -1; }, []);
  return [...state, again];
}

/** A button that waits for what it does, and tells what went wrong. */
export function Action({ does, children, ...more }) {
  const [busy, setBusy] = useState(false);
  const run = async () => {
    setBusy(true);
    try {
      await does();
    } catch (error) {
      tellError(error);
    }
    setBusy(false);
  };
  return html`<button type="button" disabled=${busy} aria-busy=${busy} onClick=${run} ...${more}>${children}</button>`;
}

/** A dialog that is open as long as it is shown. */
export function Dialog({ title, onClose, children, wide }) {
  const element = useRef(null);
  useEffect(() => element.current.showModal(), []);
  return html`<dialog ref=${element} class=${wide ? "wide" : ""} aria-label=${title} onClose=${onClose}>
    <header><h2>${title}</h2><button type="button" class="quiet" onClick=${onClose}>Close</button></header>
    ${children}
  </dialog>`;
}

/** Asks before something is done that cannot be taken back. */
export function Confirmed({ question, confirm, does, children }) {
  const [asking, setAsking] = useState(false);
  const close = () => setAsking(false);
  const act = async () => {
    await does();
    close();
  };
  return html`<button type="button" class="danger" onClick=${() => setAsking(true)}>${children}</button>
    ${asking && html`<${Dialog} title=${question} onClose=${close}>
      <p class="actions">
        <${Action} class="danger" does=${act}>${confirm}</${Action}>
        <button type="button" onClick=${close}>Keep</button>
      </p>
    </${Dialog}>`}`;
}

export function Field({ label, hint, ...input }) {
  return html`<label><span>${label}</span><input ...${input} />${hint && html`<small>${hint}</small>`}</label>`;
}

/** A picture of a source; a blob, so that remote servers and this one are looked at in the same way. */
export function Picture({ source, path, args, label, onFailed }) {
  const [shownUrl, setUrl] = useState("");
  const [failure, setFailure] = useState("");
  useEffect(() => {
    const stopped = new AbortController();
    let url = "";
    source.picture(path, args, stopped.signal).then(
      (blob) => {
        url = URL.createObjectURL(blob);
        setFailure("");
        setUrl(url);
      },
      (error) => {
        if (error.name === "AbortError") return;
        setFailure(error.message);
        onFailed?.(error);
      },
    );
    return () => {
      stopped.abort();
      if (url) setTimeout(() => URL.revokeObjectURL(url), 1000); // it is seen until the next one is there
    };
  }, [source.name, path, JSON.stringify(args)]);
  if (failure) return html`<p class="no-picture">No picture: ${failure}</p>`;
  return shownUrl ? html`<img src=${shownUrl} alt=${label} draggable=${false} />` : html`<p class="no-picture" aria-busy="true">…</p>`;
}

export const megabytes = (bytes) => `${(bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0)} MB`;
