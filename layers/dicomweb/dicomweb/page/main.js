// The page: views, of which the address has only the name. What is looked at is in the history's state.

import { html, render, useEffect, useState } from "./preact.js";
import { ArchiveView } from "./archive.js";
import { StudyView } from "./study.js";
import { ServersView } from "./servers.js";
import { JobsView } from "./jobs.js";
import { UploadView } from "./upload.js";
import { ApiView } from "./api.js";
import { Notices } from "./parts.js";
import { info } from "./server.js";

const VIEWS = { archive: "Search", upload: "Upload", servers: "Servers", jobs: "Jobs", api: "API" };

const placeNow = () => ({ view: VIEWS[location.hash.slice(1)] ? location.hash.slice(1) : "archive", ...history.state });

function Page() {
  const [place, setPlace] = useState(placeNow);
  useEffect(() => {
    const moved = () => setPlace(placeNow());
    addEventListener("popstate", moved);
    addEventListener("hashchange", moved);
    return () => {
      removeEventListener("popstate", moved);
      removeEventListener("hashchange", moved);
    };
  }, []);
  const go = (view, state = {}) => {
    history.pushState({ view, ...state }, "", `#${view}`);
    setPlace(placeNow());
    scrollTo(0, 0);
  };
  const here = place.study && place.view === "archive" ? "study" : place.view;
  return html`
    <a class="skip" href="#content" onClick=${skip}>Skip to content</a>
    <header class="top">
      <h1>DICOMweb <small>${info.Version}</small></h1>
      <nav aria-label="Views">
        ${Object.entries(VIEWS).map(([view, name]) => html`
          <a href=${`#${view}`} aria-current=${place.view === view ? "page" : undefined}
            onClick=${(event) => { event.preventDefault(); go(view); }}>${name}</a>`)}
      </nav>
    </header>
    <${Notices} />
    <main id="content" tabindex="-1">
      ${here === "archive" && html`<${ArchiveView} open=${(source, study) => go("archive", { source, study })} />`}
      ${here === "study" && html`<${StudyView} source=${place.source} study=${place.study} go=${go} />`}
      ${here === "servers" && html`<${ServersView} />`}
      ${here === "jobs" && html`<${JobsView} />`}
      ${here === "api" && html`<${ApiView} />`}
      <div hidden=${here !== "upload"}><${UploadView} /></div>
    </main>`;
}

function skip(event) {
  event.preventDefault();
  document.getElementById("content").focus();
}

render(html`<${Page} />`, document.body);
