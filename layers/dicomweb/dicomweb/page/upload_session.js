// One upload session: parts put straight into the bucket, in order, paused and resumed, tried again.

import { askJson, Refused } from "./server.js";

const ATTEMPTS = 5;
const POLL_MS = 1500;

const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

export class UploadSession {
  /** @param changed called when `state`, `sent`, or `outcome` are others */
  constructor(blob, contentType, changed) {
    this.blob = blob;
    this.contentType = contentType;
    this.changed = changed;
    this.state = "waiting"; // then sending, paused, storing, done, failed, cancelled
    this.sent = 0; // bytes
    this.outcome = null; // the Store Instances Response
    this.problem = "";
    this.turn = 0; // one more each time it is begun or resumed: what is left of an earlier run ends
  }

  async run() {
    this.turn += 1;
    const turn = this.turn;
    const goesOn = () => this.turn === turn && this.state === "sending";
    try {
      this.become("sending");
      if (!this.url) await this.begin();
      if (this.state === "cancelled") await askJson(this.url, { method: "DELETE" });
      if (!goesOn()) return;
      for (let session = await askJson(this.url); session.State === "Receiving"; session = await askJson(this.url)) {
        this.sent = Math.min(session.Received * session.PartSize, this.blob.size);
        this.changed();
        if (!session.Parts.length) {
          await askJson(`${this.url}/complete`, { method: "POST" });
          break;
        }
        for (const part of session.Parts) {
          if (!goesOn()) return;
          await this.put(part, session.PartSize, goesOn);
        }
      }
      this.sent = this.blob.size;
      this.become("storing");
      await this.untilStored();
    } catch (error) {
      if (this.turn !== turn || this.state === "paused" || this.state === "cancelled") return;
      this.problem = error.message;
      this.become("failed");
    }
  }

  pause() {
    this.become("paused");
    this.request?.abort();
  }

  async cancel() {
    this.become("cancelled");
    this.request?.abort();
    if (this.url) await askJson(this.url, { method: "DELETE" });
  }

  become(state) {
    this.state = state;
    this.changed();
  }

  async begin() {
    const body = { Size: this.blob.size, ContentType: this.contentType };
    this.url = `uploads/${(await askJson("uploads", { method: "POST", body })).Id}`;
  }

  async put(part, size, goesOn) {
    const start = (part.PartNumber - 1) * size;
    for (let attempt = 1; ; attempt += 1) {
      try {
        await this.putOnce(part.Url, this.blob.slice(start, start + size), start);
        return;
      } catch (error) {
        if (!goesOn() || attempt === ATTEMPTS) throw error;
        await wait(500 * 2 ** attempt);
      }
    }
  }

  putOnce(url, content, start) {
    return new Promise((resolve, reject) => {
      const request = new XMLHttpRequest(); // fetch tells no progress of what is sent
      this.request = request;
      request.open("PUT", url);
      request.upload.onprogress = (event) => {
        this.sent = start + event.loaded;
        this.changed();
      };
      request.onload = () => (request.status < 300 ? resolve() : reject(new Refused(request.status, `the bucket answered ${request.status}`)));
      request.onerror = () => reject(new Refused(0, "the bucket cannot be reached"));
      request.onabort = () => reject(new Refused(0, "stopped"));
      request.send(content);
    });
  }

  async untilStored() {
    for (;;) {
      const session = await askJson(this.url);
      if (session.State === "Done") {
        this.outcome = session.Response;
        this.become("done");
        return;
      }
      await wait(POLL_MS);
    }
  }
}
