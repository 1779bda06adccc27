// Uses a server as the viewers do that are built on dicomweb-client: node drive.js URL FILE...
// Stores the files, searches, retrieves; prints what came back as one line of JSON.

import { readFileSync } from 'node:fs';
import { createHash } from 'node:crypto';
import xhr2 from 'xhr2';
import { api } from 'dicomweb-client/build/dicomweb-client.es.js';

globalThis.XMLHttpRequest = xhr2.XMLHttpRequest;
const [url, ...paths] = process.argv.slice(2);
const client = new api.DICOMwebClient({ url });
const singlepart = new api.DICOMwebClient({ url, singlepart: 'bulkdata' });

const digest = (bytes) => createHash('sha256').update(Buffer.from(bytes)).digest('hex');
const digests = (parts) => parts.map(digest);
const arrayBuffer = (bytes) => bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength);
const value = (attributes, tag) => attributes[tag].Value[0];

const stored = await client.storeInstances({ datasets: paths.map((path) => arrayBuffer(readFileSync(path))) });

const queryParams = { PatientName: 'doe*', limit: 1 };
const [study] = await client.searchForStudies({ queryParams });
const studyInstanceUID = value(study, '0020000D');
const [series] = await client.searchForSeries({ studyInstanceUID });
const seriesInstanceUID = value(series, '0020000E');
const instances = await client.searchForInstances({ studyInstanceUID, seriesInstanceUID });
const uids = { studyInstanceUID, seriesInstanceUID, sopInstanceUID: value(instances[0], '00080018') };

const ofStudy = await client.retrieveStudyMetadata(uids);
const ofSeries = await client.retrieveSeriesMetadata(uids);
const ofInstance = await client.retrieveInstanceMetadata(uids);
const { BulkDataURI } = ofInstance[0]['7FE00010'];
const native = await client.retrieveInstanceFrames({ ...uids, frameNumbers: [1, 2] });
const asStored = await client.retrieveInstanceFrames({
  ...uids,
  frameNumbers: [2],
  mediaTypes: [{ mediaType: 'application/octet-stream', transferSyntaxUID: '*' }],
});
const missing = await new api.DICOMwebClient({ url, verbose: false })
  .retrieveInstanceFrames({ ...uids, frameNumbers: [99] })
  .then(() => 200, (error) => error.status);

console.log(JSON.stringify({
  stored: (typeof stored === 'string' ? JSON.parse(stored) : stored)['00081199'].Value.length,
  counts: [instances, ofStudy, ofSeries, ofInstance].map((rows) => rows.length),
  metadata: ofInstance[0],
  study: digests(await client.retrieveStudy(uids)),
  series: digests(await client.retrieveSeries(uids)),
  instance: digest(await client.retrieveInstance(uids)),
  frames: digests(native),
  frameTypes: native.map(({ contentType, transferSyntaxUID }) => [contentType, transferSyntaxUID]),
  frameAsStored: digests(asStored),
  bulkData: digests(await client.retrieveBulkData({ BulkDataURI })),
  bulkDataAlone: digests(await singlepart.retrieveBulkData({
    BulkDataURI,
    headers: { Accept: 'application/octet-stream' },
  })),
  missing,
}));
