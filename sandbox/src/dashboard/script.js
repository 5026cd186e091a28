"use strict";
// Requests the page's parts twice a second and replaces those that changed. Keeps the list of the
// requests, and draws the rows of its window.
// Without this script the dashboard works, and a person reloads it.
(() => {
  const url = document.body.dataset.parts;
  const get = (id) => document.getElementById(id);
  const seen = new Map();

  function toast(text) {
    get("toast").textContent = text;
    clearTimeout(toast.timer);
    toast.timer = setTimeout(() => (get("toast").textContent = ""), 4000);
  }

  // --- The parts -----------------------------------------------------------------------------

  function put(place, html) {
    const focused = place.contains(document.activeElement) ? document.activeElement.id : "";
    const open = [...place.querySelectorAll("details[open]")].map((details) => details.id);
    place.innerHTML = html;
    for (const id of open) get(id)?.setAttribute("open", "");
    if (focused) (get(focused) ?? place).focus();
  }

  // The bar does not move under the pointer. A click replaces it at once.
  const isHeld = (place) => place.id === "active" && place.matches(":hover");

  async function refresh(forced) {
    const response = await fetch(url + (list ? list.query() : ""), { cache: "no-store" });
    if (!response.ok) throw new Error(response.statusText);
    const body = await response.json();
    for (const [id, html] of Object.entries(body.parts)) {
      const place = get(id);
      if (!place || seen.get(id) === html || (isHeld(place) && !forced)) continue;
      seen.set(id, html);
      put(place, html);
    }
    if (list && body.log) list.take(body.log);
  }

  async function live() {
    try {
      if (document.visibilityState === "visible") await refresh(false);
      if (document.body.dataset.lost) toast("");
      delete document.body.dataset.lost;
    } catch {
      document.body.dataset.lost = "yes";
      toast("The sandbox does not respond.");
    }
    setTimeout(live, 500);
  }

  // --- The list of the requests --------------------------------------------------------------

  function requests() {
    const box = get("list");
    const rows = box.querySelector("ol");
    const template = get("row").content.firstElementChild;
    const filter = { search: get("search"), till: get("till"), member: get("member"), problems: get("problems") };
    const pause = get("pause");
    let all = []; // every request, the oldest first
    let held = []; // requests that wait, so that no row moves
    let shown = []; // the matching requests, the newest first
    const open = new Set(); // requests without a response
    let era = "";
    let pointer = false;
    let current = 0; // the request in the panel
    let focused = 0; // the row of the keyboard

    const words = () => filter.search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const isProblem = (row) => row.class !== "passed" || row.fault;

    function text(row) {
      row.text ??= Object.values(row).flat().join(" ").toLowerCase();
      return row.text;
    }

    function matches(row, wanted) {
      return (!filter.till.value || row.till === filter.till.value)
        && (!filter.member.value || row.member === filter.member.value)
        && (!filter.problems.checked || isProblem(row))
        && wanted.every((word) => text(row).includes(word));
    }

    function select() {
      const wanted = words();
      shown = all.filter((row) => matches(row, wanted)).reverse();
      draw();
    }

    function offer(choice, values) {
      for (const value of values) {
        if (value && ![...choice.options].some((option) => option.value === value)) choice.add(new Option(value, value));
      }
    }

    function fill(item, row) {
      const link = item.firstElementChild;
      link.href = `${get("row").content.querySelector("a").getAttribute("href").replace(/request=0$/, "")}request=${row.n}`;
      link.dataset.n = row.n;
      for (const field of link.querySelectorAll("[data-f]")) field.textContent = row[field.dataset.f] ?? "";
      // A narrow window cuts them off.
      link.title = [row.path, row.reason].filter(Boolean).join("\n");
      link.querySelector(".badge").className = `badge ${row.class}`;
      if (row.n === current) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    }

    // Draws the rows in the window. A row that stays keeps its element, and so the focus.
    function draw() {
      const height = rows.firstElementChild?.offsetHeight || 38;
      const first = Math.max(0, Math.floor(box.scrollTop / height) - 5);
      const last = Math.min(shown.length, first + Math.ceil(box.clientHeight / height) + 15);
      const old = new Map([...rows.children].map((item) => [Number(item.firstElementChild.dataset.n), item]));
      const items = shown.slice(first, last).map((row) => {
        const item = old.get(row.n) ?? template.cloneNode(true);
        if (item.row !== row || item.current !== (row.n === current)) fill(item, row);
        [item.row, item.current] = [row, row.n === current];
        return item;
      });
      if (items.some((item, at) => rows.children[at] !== item) || rows.children.length !== items.length) {
        const active = document.activeElement;
        rows.replaceChildren(...items);
        if (rows.contains(active)) active.focus({ preventScroll: true });
      }
      rows.style.paddingTop = `${first * height}px`;
      rows.style.paddingBottom = `${(shown.length - last) * height}px`;
      const stop = items.find((item) => item.row.n === focused) ?? items[0];
      for (const item of items) item.firstElementChild.tabIndex = item === stop ? 0 : -1;
      get("empty").hidden = all.length + held.length > 0;
      get("none").hidden = shown.length > 0 || all.length === 0;
      const count = `${all.length} ${all.length === 1 ? "request" : "requests"}`;
      get("count").textContent = shown.length === all.length ? count : `${shown.length} of ${count}`;
      get("news").hidden = held.length === 0;
      get("news").textContent = `${held.length} new ${held.length === 1 ? "request" : "requests"}`;
    }

    // New rows move the others. They wait while somebody reads, points or is in the list.
    const isRead = () => pause.ariaPressed === "true" || pointer || box.scrollTop > 0 || rows.contains(document.activeElement);

    function release() {
      if (held.length === 0) return;
      all.push(...held);
      held = [];
      if (all.length > 10_000) all = all.slice(-10_000);
      select();
    }

    function take(log) {
      if (log.era !== era) {
        // Another log: the store was reset, or the sandbox has started again.
        if (era && current) close();
        [all, held, era] = [[], [], log.era];
        open.clear();
      }
      if (log.rows.length === 0 && held.length === 0) {
        if (all.length === 0) select();
        return;
      }
      const places = new Map(all.map((row, at) => [row.n, at]));
      const waiting = new Map(held.map((row, at) => [row.n, at]));
      let changed = false;
      for (const row of log.rows) {
        if (row.class === "failed" && row.status === "none") open.add(row.n);
        else if (open.delete(row.n) && row.n === current) show(current, false);
        if (places.has(row.n)) {
          if (JSON.stringify({ ...all[places.get(row.n)], text: 0 }) === JSON.stringify({ ...row, text: 0 })) continue;
          all[places.get(row.n)] = row;
          changed = true;
        } else if (waiting.has(row.n)) held[waiting.get(row.n)] = row;
        else held.push(row);
      }
      offer(filter.till, new Set(log.rows.map((row) => row.till)));
      offer(filter.member, new Set(log.rows.map((row) => row.member)));
      if (all.length === 0 || !isRead()) release();
      if (changed) select();
      else draw();
    }

    function query() {
      const last = held.at(-1) ?? all.at(-1);
      return `&after=${last?.n ?? 0}&era=${era}&open=${[...open].slice(-100).join(",")}`;
    }

    // --- The panel ---

    const panel = get("panel");

    async function show(n, focus) {
      const response = await fetch(`${url.replace("/parts?", "/request?")}&seq=${n}`, { cache: "no-store" });
      if (!response.ok) return toast(await response.text());
      panel.innerHTML = await response.text();
      [current, focused, panel.hidden] = [n, n, false];
      if (focus) {
        panel.scrollTop = 0;
        get("panel-title").focus();
      }
      draw();
    }

    function close() {
      const was = current;
      [current, panel.hidden] = [0, true];
      draw();
      (rows.querySelector(`[data-n="${was}"]`) ?? box.querySelector("a"))?.focus();
    }

    function step(by) {
      const at = shown.findIndex((row) => row.n === current) + by;
      if (shown[at]) show(shown[at].n, false);
    }

    async function replay(button) {
      const { method, path, body, header } = button.dataset;
      const headers = { "Content-Type": "application/json", [header]: document.body.dataset.key };
      try {
        const response = await fetch(path, { method, headers, body: body || undefined });
        toast(`Replayed: ${response.status}`);
      } catch {
        toast("Replayed: no response");
      }
    }

    rows.addEventListener("click", (event) => {
      const link = event.target.closest("a");
      if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      show(Number(link.dataset.n), true);
    });
    rows.addEventListener("keydown", (event) => {
      const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      const at = shown.findIndex((row) => String(row.n) === event.target.dataset.n);
      if (!by || !shown[at + by]) return;
      event.preventDefault();
      focused = shown[at + by].n;
      const height = rows.firstElementChild.offsetHeight;
      const top = (at + by) * height;
      if (top < box.scrollTop) box.scrollTop = top;
      if (top + height > box.scrollTop + box.clientHeight) box.scrollTop = top + height - box.clientHeight;
      draw();
      rows.querySelector(`[data-n="${focused}"]`)?.focus({ preventScroll: true });
    });
    panel.addEventListener("click", (event) => {
      const button = event.target.closest("button, a");
      const act = { close, newer: () => step(-1), older: () => step(1), replay: () => replay(button) }[button?.id];
      if (!act) return;
      event.preventDefault();
      act();
    });
    document.addEventListener("keydown", (event) => {
      const isTyping = event.target.matches("input, select, textarea") || event.ctrlKey || event.metaKey || event.altKey;
      if (event.key === "Escape" && current && !document.querySelector(":popover-open")) close();
      else if (event.key === "/" && !isTyping) {
        event.preventDefault();
        filter.search.focus();
      } else if (!isTyping && current && (event.key === "j" || event.key === "k")) step(event.key === "j" ? 1 : -1);
    });
    box.addEventListener("pointerenter", (event) => (pointer = event.pointerType === "mouse"));
    box.addEventListener("pointerleave", () => (pointer = false));
    box.addEventListener("scroll", draw, { passive: true });
    addEventListener("resize", draw);
    for (const field of Object.values(filter)) field.addEventListener("input", select);
    pause.addEventListener("click", () => {
      pause.ariaPressed = String(pause.ariaPressed !== "true");
      pause.textContent = pause.ariaPressed === "true" ? "Resume" : "Pause";
      if (!isRead()) release();
    });
    get("news").addEventListener("click", () => {
      box.scrollTop = 0;
      release();
    });

    current = Number(panel.querySelector("h2") && new URLSearchParams(location.search).get("request"));
    return { query, take };
  }

  const list = get("list") && requests();

  // --- Forms and copies ----------------------------------------------------------------------

  document.addEventListener("submit", async (event) => {
    const form = event.target;
    if (form.method !== "post") return;
    event.preventDefault();
    const button = event.submitter;
    const fields = new URLSearchParams(new FormData(form, button));
    if (button?.ariaBusy === "true") return;
    form.closest("[popover]")?.hidePopover();
    if (button) button.ariaBusy = "true";
    try {
      // The response says what has changed: the bar may be out of sight.
      const response = await fetch(form.action, { method: "POST", body: fields, headers: { Accept: "text/plain" } });
      toast(await response.text());
      await refresh(true);
    } catch {
      toast("The sandbox does not respond.");
    }
    if (button) button.ariaBusy = null;
  });

  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    const text = get(button.dataset.copy).textContent;
    try {
      await navigator.clipboard.writeText(text);
      toast("Copied.");
    } catch {
      getSelection().selectAllChildren(get(button.dataset.copy));
      toast("Press Ctrl-C to copy the selection.");
    }
  });

  live();
})();
