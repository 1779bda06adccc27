// Store, search and retrieve with the npm package dicomweb-client, on which viewers in browsers are built.
// node with_dicomweb_client.mjs URL REMOTE FILE…

import { readFile } from "node:fs/promises";
import XMLHttpRequest from "xhr2"; // browsers have it

globalThis.XMLHttpRequest = XMLHttpRequest;
const { api } = await import("dicomweb-client").then((module) => module.default ?? module);

const [url, remote, ...paths] = process.argv.slice(2);
const user = process.env.DICOMWEB_USER;
const headers = user ? { Authorization: `Basic ${Buffer.from(user).toString("base64")}` } : {};
const client = new api.DICOMwebClient({ url: `${url}/dicom-web`, headers });

const files = await Promise.all(paths.map((path) => readFile(path)));
const datasets = files.map((file) => file.buffer.slice(file.byteOffset, file.byteOffset + file.byteLength));
await client.storeInstances({ datasets });

const studies = await client.searchForStudies({ queryParams: { limit: 1 } }); // the newest, which was stored just now
const study = studies[0]["0020000D"].Value[0];
console.log("found:", studies[0]["00100010"].Value?.[0]?.Alphabetic);

const metadata = await client.retrieveStudyMetadata({ studyInstanceUID: study });
console.log("retrieved: metadata of", metadata.length);
const [series, instance] = ["0020000E", "00080018"].map((tag) => metadata[0][tag].Value[0]);
const file = await client.retrieveInstance({
  studyInstanceUID: study, seriesInstanceUID: series, sopInstanceUID: instance,
});
console.log("retrieved: a file of", file.byteLength, "bytes");

if (remote) { // the routes of Orthanc's plugin are not the Standard's, nor this client's
  const options = { method: "POST", headers, body: JSON.stringify({ Resources: [study] }) };
  const response = await fetch(`${url}/dicom-web/servers/${remote}/stow`, options);
  console.log("sent:", (await response.json()).InstancesCount);
}
