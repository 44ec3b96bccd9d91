"use strict";
// Only in the served page: reload when the server has a newer version, and keep the scroll position.
const LIVE_EVERY = 2000;
let liveVersion = null;
if (sessionStorage.scroll) scrollTo(0, Number(sessionStorage.scroll));
setInterval(async () => {
  try {
    const version = await (await fetch("/version")).text();
    if (liveVersion !== null && version !== liveVersion) {
      sessionStorage.scroll = scrollY;
      location.reload();
    }
    liveVersion = version;
  } catch {
    document.title = document.title.replace(/^(no connection: )?/, "no connection: ");
  }
}, LIVE_EVERY);
