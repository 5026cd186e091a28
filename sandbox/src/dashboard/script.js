"use strict";
// Keeps the page live: asks for its parts and puts in those that changed. Without it the page works, and is reloaded by hand.
(() => {
  const url = document.body.dataset.parts;
  const seen = new Map();
  const status = document.getElementById("status");

  function put(place, html) {
    const focused = place.contains(document.activeElement) ? document.activeElement.id : "";
    const open = [...place.querySelectorAll("details[open]")].map((details) => details.id);
    place.innerHTML = html;
    for (const id of open) document.getElementById(id)?.setAttribute("open", "");
    if (focused) document.getElementById(focused)?.focus();
  }

  async function refresh() {
    const answer = await fetch(url, { cache: "no-store" });
    if (!answer.ok) throw new Error(answer.statusText);
    for (const [id, html] of Object.entries(await answer.json())) {
      const place = document.getElementById(id);
      if (!place || seen.get(id) === html) continue;
      seen.set(id, html);
      put(place, html);
    }
  }

  async function live() {
    try {
      if (document.visibilityState === "visible") await refresh();
    } catch {
      seen.delete("status");
      status.textContent = "The sandbox does not answer.";
    }
    setTimeout(live, 500);
  }

  document.addEventListener("submit", async (event) => {
    const form = event.target;
    if (form.method !== "post") return;
    event.preventDefault();
    try {
      await fetch(form.action, { method: "POST", body: new URLSearchParams(new FormData(form, event.submitter)) });
      await refresh();
    } catch {
      status.textContent = "The sandbox does not answer.";
    }
  });

  live();
})();
