// Remote servers: listed, tested, added, changed, removed.

import { html, useState } from "./preact.js";
import { Action, Confirmed, Dialog, Field, tell, useLoaded } from "./parts.js";
import { servers } from "./server.js";

const FLAGS = {
  HasDelete: "Can delete",
  ChunkedTransfers: "Takes chunked transfers",
  HasWadoRsUniversalTransferSyntax: "Gives any transfer syntax on request",
};
const NEW = { name: "", Url: "", Username: "", Password: "", Timeout: 0, HasDelete: false, ChunkedTransfers: true,
  HasWadoRsUniversalTransferSyntax: true };

export function ServersView() {
  const [named, error, again] = useLoaded(servers.all, []);
  const [edited, setEdited] = useState(null);
  const done = () => {
    setEdited(null);
    again();
  };
  const test = async (name) => {
    const { Milliseconds } = await servers.test(name);
    tell(`${name} answers in ${Milliseconds} ms.`);
  };
  const remove = async (name) => {
    await servers.remove(name);
    again();
  };
  const entries = Object.entries(named ?? {});
  return html`
    <h2>Remote servers</h2>
    <p><button type="button" class="main" onClick=${() => setEdited(NEW)}>Add a server</button></p>
    ${error && html`<p class="error" role="alert">${error.message}</p>`}
    ${named && !entries.length && html`<p>There is none yet.</p>`}
    ${entries.length > 0 && html`<table class="cards">
      <thead><tr><th>Name</th><th>URL</th><th>User</th><th></th></tr></thead>
      <tbody>${entries.map(([name, each]) => html`<tr key=${name}>
        <td data-label="Name">${name}</td>
        <td data-label="URL">${each.Url}</td>
        <td data-label="User">${each.Username ?? ""}</td>
        <td class="actions">
          <${Action} does=${() => test(name)}>Test</${Action}>
          <button type="button" onClick=${() => setEdited({ ...NEW, ...each, name, isKnown: true })}>Edit</button>
          <${Confirmed} question=${`Remove the server ${name}?`} confirm="Remove" does=${() => remove(name)}>Remove</${Confirmed}>
        </td>
      </tr>`)}</tbody>
    </table>`}
    ${edited && html`<${ServerDialog} server=${edited} onClose=${() => setEdited(null)} done=${done} />`}`;
}

function ServerDialog({ server, onClose, done }) {
  const [form, setForm] = useState({ ...server, Password: "", headers: "" });
  const set = (name) => (event) => setForm({ ...form, [name]: event.target.value });
  const check = (name) => (event) => setForm({ ...form, [name]: event.target.checked });
  const save = async () => {
    const definition = Object.fromEntries(Object.keys(FLAGS).map((name) => [name, form[name]]));
    definition.Url = form.Url.trim();
    definition.Timeout = Number(form.Timeout);
    if (form.Username) Object.assign(definition, { Username: form.Username, Password: form.Password });
    const headers = form.headers.split("\n").filter((line) => line.includes(":"));
    if (headers.length) {
      definition.HttpHeaders = Object.fromEntries(headers.map((line) => {
        const at = line.indexOf(":");
        return [line.slice(0, at).trim(), line.slice(at + 1).trim()];
      }));
    }
    await servers.put(form.name.trim(), definition);
    tell(`${form.name} is saved.`);
    done();
  };
  const secrets = server.isKnown && (server.Username || server.HttpHeaders?.length);
  return html`<${Dialog} title=${server.isKnown ? `Edit ${server.name}` : "Add a server"} onClose=${onClose}>
    <form class="stacked" onSubmit=${(event) => event.preventDefault()}>
      <${Field} label="Name" required value=${form.name} readonly=${server.isKnown} onInput=${set("name")} />
      <${Field} label="URL" type="url" required placeholder="https://example.org/dicom-web" value=${form.Url} onInput=${set("Url")} />
      <${Field} label="Username" value=${form.Username} autocomplete="off" onInput=${set("Username")} />
      <${Field} label="Password" type="password" value=${form.Password} autocomplete="new-password" onInput=${set("Password")} />
      <label><span>HTTP headers, one a line</span>
        <textarea rows="2" placeholder="Authorization: Bearer …" value=${form.headers} onInput=${set("headers")} /></label>
      ${secrets && html`<p class="hint">What is secret is never shown again: enter the password and the headers anew.</p>`}
      <${Field} label="Timeout in seconds" hint="0: as the settings have it" type="number" min="0" value=${form.Timeout} onInput=${set("Timeout")} />
      ${Object.entries(FLAGS).map(([name, label]) => html`<label class="check">
        <input type="checkbox" checked=${form[name]} onChange=${check(name)} /><span>${label}</span></label>`)}
      <p class="actions"><${Action} class="main" does=${save}>Save</${Action}></p>
    </form>
  </${Dialog}>`;
}
