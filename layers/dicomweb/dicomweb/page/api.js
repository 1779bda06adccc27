// The API as openapi.json describes it, for people.

import { html, useState } from "./preact.js";
import { useLoaded } from "./parts.js";
import { askJson, info, urlOf } from "./server.js";

export function ApiView() {
  const [document_, error] = useLoaded(() => askJson("openapi.json"), []);
  const [words, setWords] = useState("");
  const all = Object.entries(document_?.paths ?? {}).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method: method.toUpperCase(), ...operation })));
  const found = all.filter((each) => `${each.method} ${each.path} ${each.summary} ${each.description}`.toLowerCase().includes(words.toLowerCase()));
  return html`
    <h2>API</h2>
    <p><a href=${urlOf("openapi.json")}>openapi.json</a> is the same for programs; <code>OPTIONS ${info.Root}</code> is the Standard's way (PS3.18 §8.9).</p>
    <label><span>Filter</span><input type="search" value=${words} onInput=${(event) => setWords(event.target.value)} /></label>
    ${error && html`<p class="error" role="alert">${error.message}</p>`}
    ${found.map((each) => html`<${Operation} key=${each.operationId} ...${each} />`)}`;
}

function Operation({ method, path, summary, description, parameters, requestBody, responses }) {
  const list = (content) => Object.keys(content ?? {}).join(" · ");
  return html`<section class="operation">
    <h3>${method} ${path}</h3>
    <p>${summary}. ${description}</p>
    <dl>
      ${requestBody && html`<dt>Takes</dt><dd>${list(requestBody.content)}</dd>`}
      <dt>Gives</dt><dd>${list(responses["2XX"].content) || "nothing"}</dd>
      ${parameters.filter((each) => each.in === "query").map((each) => html`<dt>${each.name}</dt><dd>${each.description}</dd>`)}
    </dl>
  </section>`;
}
