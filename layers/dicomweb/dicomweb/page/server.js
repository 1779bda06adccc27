// Requests to this server. Nothing of patients stands in the page's own URL; what is asked for is in requests alone.

const service = new URL("../../", location.href); // the Studies Service is two folders above this page

export const info = await (await fetch(new URL("info", service))).json();

const beside = new URL("../".repeat(info.Root.split("/").length - 1), service); // Orthanc's routes

/** What the server says is wrong. */
export class Refused extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

/** A response with a status of success.
 *  @param path below the Studies Service, or from the root of the server with `/jobs` */
export async function ask(path, { method = "GET", body, accept = "application/json", signal, root = service } = {}) {
  const headers = { Accept: accept };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const url = new URL(path, root);
  let response;
  try {
    response = await fetch(url, { method, headers, signal, body: body === undefined ? undefined : JSON.stringify(body) });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refused(0, "the server cannot be reached");
  }
  if (!response.ok) throw new Refused(response.status, await messageOf(response));
  return response;
}

async function messageOf(response) {
  const text = await response.text();
  try {
    return JSON.parse(text).Message || `status ${response.status}`;
  } catch {
    return `status ${response.status}`;
  }
}

export async function askJson(path, options) {
  const response = await ask(path, options);
  return response.status === 204 ? [] : response.json();
}

export const askBeside = (path, options) => askJson(path, { ...options, root: beside });

/** The URL of a resource of the Studies Service, for links. */
export const urlOf = (path) => new URL(path, service).href;

const server = (name) => `servers/${encodeURIComponent(name)}`;

/** This archive as something that is searched and looked at. */
export const archive = {
  name: "",
  search: (path, args) => askJson(`${path}?${new URLSearchParams(args)}`, { accept: "application/dicom+json" }),
  metadata: (path) => askJson(`${path}/metadata`, { accept: "application/dicom+json" }),
  picture: async (path, args, signal) =>
    (await ask(`${path}?${new URLSearchParams(args)}`, { accept: "image/png, image/jpeg", signal })).blob(),
  remove: (path) => ask(path, { method: "DELETE" }),
};

const texts = (args) => Object.fromEntries(Object.entries(args).map(([name, value]) => [name, String(value)]));

/** A remote server as the same. */
export function remote(name) {
  const get = (path, args, accept, signal) =>
    ask(`${server(name)}/get`, {
      method: "POST",
      body: { Uri: `/${path}`, Arguments: texts(args), HttpHeaders: { Accept: accept } },
      accept: "*/*",
      signal,
    });
  const getJson = async (path, args) => {
    const response = await get(path, args, "application/dicom+json");
    const text = await response.text();
    return text ? JSON.parse(text) : [];
  };
  return {
    name,
    search: getJson,
    metadata: (path) => getJson(`${path}/metadata`, {}),
    picture: async (path, args, signal) => (await get(path, args, "image/png, image/jpeg", signal)).blob(),
    remove: (path) => {
      const [, study, , series, , instance] = path.split("/");
      const level = instance ? "Instance" : series ? "Series" : "Study";
      const body = { Level: level, StudyInstanceUID: study, SeriesInstanceUID: series ?? "", SOPInstanceUID: instance ?? "" };
      return askJson(`${server(name)}/delete`, { method: "POST", body });
    },
  };
}

export const sourceOf = (name) => (name ? remote(name) : archive);

export const servers = {
  all: () => askJson("servers?expand"),
  operations: (name) => askJson(server(name)),
  put: (name, definition) => askJson(server(name), { method: "PUT", body: definition }),
  remove: (name) => askJson(server(name), { method: "DELETE" }),
  test: (name) => askJson(`${server(name)}/echo`, { method: "POST" }),
  send: (name, uids) => askJson(`${server(name)}/stow`, { method: "POST", body: { Resources: uids, Synchronous: false } }),
  retrieve: (name, resource) =>
    askJson(`${server(name)}/retrieve`, { method: "POST", body: { Resources: [resource], Synchronous: false } }),
};

export const jobs = {
  all: () => askBeside("jobs?expand"),
  outcomes: (job) => askBeside(`jobs/${job}/outcomes`),
  act: (job, action) => askBeside(`jobs/${job}/${action}`, { method: "POST" }),
  forget: (job) => askBeside(`jobs/${job}`, { method: "DELETE" }),
};
