// Jobs, as they go.

import { html, useEffect, useState } from "./preact.js";
import { Action, Dialog, megabytes, useLoaded } from "./parts.js";
import { jobs } from "./server.js";

const EVERY_MS = 2000;
const MOST_SHOWN = 200; // outcomes
const ACTIONS = { // by state
  Pending: ["pause", "cancel"],
  Running: ["pause", "cancel"],
  Paused: ["resume", "cancel"],
  Failure: ["resubmit"],
  Success: [],
};
const NAMES = { pause: "Pause", resume: "Resume", cancel: "Cancel", resubmit: "Try again" };
const TYPES = { DicomWebStowClient: "Send", DicomWebWadoRetrieveClient: "Retrieve", DeleteResource: "Delete" };

const time = (written) => written.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d).*/, "$1-$2-$3 $4:$5:$6");

export function JobsView() {
  const [found, error, again] = useLoaded(jobs.all, []);
  const [opened, setOpened] = useState("");
  useEffect(() => {
    const timer = setInterval(() => document.hidden || again(), EVERY_MS);
    return () => clearInterval(timer);
  }, [again]);
  const act = async (job, action) => {
    await (action === "forget" ? jobs.forget(job) : jobs.act(job, action));
    again();
  };
  return html`
    <h2>Jobs</h2>
    ${error && html`<p class="error" role="alert">${error.message}</p>`}
    ${found && !found.length && html`<p>There is none yet.</p>`}
    ${found?.length > 0 && html`<table class="cards">
      <thead><tr><th>Job</th><th>State</th><th>Progress</th><th>Instances</th><th>Bytes</th><th>Begun</th><th></th></tr></thead>
      <tbody>${found.map((job) => html`<tr key=${job.ID}>
        <td data-label="Job">${TYPES[job.Type] ?? job.Type} ${job.Content.Server && `· ${job.Content.Server}`}</td>
        <td data-label="State"><span class=${`state ${job.State}`}>${job.State}</span>
          ${job.ErrorCode !== 0 && html`<small>${job.ErrorDescription}${job.ErrorDetails && `: ${job.ErrorDetails}`}</small>`}</td>
        <td data-label="Progress"><progress max="100" value=${job.Progress} aria-label="Progress">${job.Progress} %</progress> ${job.Progress} %</td>
        <td data-label="Instances">${job.InstancesSucceeded}${job.InstancesFailed > 0 && html` · <strong>${job.InstancesFailed} failed</strong>`}</td>
        <td data-label="Bytes">${megabytes(job.NetworkBytes)}</td>
        <td data-label="Begun">${time(job.CreationTime)}</td>
        <td class="actions">
          ${(ACTIONS[job.State] ?? []).map((action) => html`<${Action} key=${action} does=${() => act(job.ID, action)}>${NAMES[action]}</${Action}>`)}
          <button type="button" onClick=${() => setOpened(job.ID)}>Outcomes</button>
          ${["Success", "Failure"].includes(job.State) && html`<${Action} does=${() => act(job.ID, "forget")}>Forget</${Action}>`}
        </td>
      </tr>`)}</tbody>
    </table>`}
    ${opened && html`<${Outcomes} job=${opened} onClose=${() => setOpened("")} />`}`;
}

function Outcomes({ job, onClose }) {
  const [outcomes, error] = useLoaded(() => jobs.outcomes(job), [job]);
  const sorted = [...(outcomes ?? [])].sort((one, other) => one.Status.localeCompare(other.Status));
  return html`<${Dialog} title="What became of each instance" wide onClose=${onClose}>
    ${error && html`<p class="error" role="alert">${error.message}</p>`}
    ${outcomes && !outcomes.length && html`<p>Nothing yet.</p>`}
    ${sorted.length > 0 && html`<table class="cards">
      <caption>${sorted.length} instances${sorted.length > MOST_SHOWN && `, the first ${MOST_SHOWN}`}</caption>
      <thead><tr><th>Instance</th><th>Status</th><th>Attempts</th><th>Reason</th></tr></thead>
      <tbody>${sorted.slice(0, MOST_SHOWN).map((each) => html`<tr>
        <td data-label="Instance">${each.SOPInstanceUID}</td>
        <td data-label="Status">${each.Status}</td>
        <td data-label="Attempts">${each.Attempts}</td>
        <td data-label="Reason">${each.Reason ?? each.Warning}</td>
      </tr>`)}</tbody>
    </table>`}
  </${Dialog}>`;
}
