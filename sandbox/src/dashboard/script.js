"use strict";
// Requests the dashboard's parts twice a second and replaces those that changed.
// Without this script the dashboard works, and a person reloads it.
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
    const response = await fetch(url, { cache: "no-store" });
    if (!response.ok) throw new Error(response.statusText);
    for (const [id, html] of Object.entries(await response.json())) {
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
      status.textContent = "The sandbox does not respond.";
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
      status.textContent = "The sandbox does not respond.";
    }
  });

  live();
})();
