// Store, search, retrieve and send with fetch, in node or a browser.
// node with_fetch.mjs URL REMOTE FILE…

import { readFile } from "node:fs/promises";

const [url, remote, ...paths] = process.argv.slice(2);
const user = process.env.DICOMWEB_USER;
const known = user ? { Authorization: `Basic ${Buffer.from(user).toString("base64")}` } : {};

async function ask(path, { headers = {}, ...options } = {}) {
  const response = await fetch(url + path, { ...options, headers: { ...known, ...headers } });
  if (!response.ok && response.status !== 409) throw new Error(`${response.status}: ${await response.text()}`);
  return response;
}

// Several files in one request.
const boundary = crypto.randomUUID();
const files = await Promise.all(paths.map((path) => readFile(path)));
const body = new Blob([
  ...files.flatMap((file) => [`--${boundary}\r\nContent-Type: application/dicom\r\n\r\n`, file, "\r\n"]),
  `--${boundary}--\r\n`,
]);
const type = `multipart/related; type="application/dicom"; boundary=${boundary}`;
const result = await (await ask("/dicom-web/studies", { method: "POST", body, headers: { "Content-Type": type } })).json();
for (const failed of result["00081198"]?.Value ?? []) {
  console.log("not stored:", failed["00081155"].Value[0], failed["00000902"].Value[0]);
}
const stored = result["00081199"].Value;
console.log("stored:", stored.length);

// Each has the URL that it is retrieved by.
const path = new URL(stored[0]["00081190"].Value[0]).pathname;
const study = path.split("/studies/")[1].split("/")[0];
const accept = { headers: { Accept: "application/dicom+json" } };
const [row] = await (await ask(`/dicom-web/studies?StudyInstanceUID=${study}`, accept)).json();
console.log("found:", row["00100010"].Value?.[0]?.Alphabetic, row["00201208"].Value[0], "instances");

const metadata = await (await ask(`/dicom-web/studies/${study}/metadata`, accept)).json();
const picture = await (await ask(`${path}/rendered`, { headers: { Accept: "image/png" } })).blob();
console.log("retrieved: metadata of", metadata.length, "and a picture of", picture.size, "bytes");

if (remote) {
  const wanted = JSON.stringify({ Resources: [study], Synchronous: false });
  const { ID } = await (await ask(`/dicom-web/servers/${remote}/stow`, { method: "POST", body: wanted })).json();
  let job;
  do {
    await new Promise((resolve) => setTimeout(resolve, 500));
    job = await (await ask(`/jobs/${ID}`)).json();
  } while (["Pending", "Running"].includes(job.State));
  console.log("sent:", job.State, job.InstancesSucceeded);
}
