// The workbench's own behaviour in the browser: swapping in the live page, soft links, theme on canvases,
// the state of the connection, the command palette, the navigation on small screens.
(() => {
  "use strict";
  const $ = (selector, within = document) => within.querySelector(selector);
  const badge = $("[data-link-state]");
  const slots = document.querySelectorAll(".slot");
  const live = () => window.Bokeh?.documents?.[0];

  const say = (state, text) => {
    if (!badge || badge.dataset.state === state) return;
    badge.dataset.state = state;
    badge.textContent = text;
  };

  // --- the live page -----------------------------------------------------------------------------------
  const models = function* () { for (const model of live()?._all_models?.values() ?? []) yield model; };
  const paint = () => {
    const style = getComputedStyle(document.documentElement);
    for (const model of models()) {
      for (const tag of model.tags ?? []) {
        const [kind, property, token] = String(tag).split(":");
        if (kind === "token") model[property] = style.getPropertyValue(`--${token}`).trim();
      }
    }
  };
  document.addEventListener("sd:theme", paint);

  const ready = () => {
    slots.forEach((slot) => {
      slot.classList.add("ready");
      slot.querySelector(".first-paint").remove();
    });
    document.documentElement.dataset.ready = "true";
    say("live", "live");
    if (document.documentElement.dataset.theme !== document.documentElement.dataset.served) paint();
  };

  // A lost connection is mended by loading the page again: its whole state is in its address.
  const mend = async () => {
    say("lost", "reconnecting");
    for (let wait = 500; ; wait = Math.min(wait * 1.6, 10000)) {
      await new Promise((done) => setTimeout(done, wait));
      const answer = await fetch("/readyz", { cache: "no-store" }).catch(() => null);
      if (answer?.ok) return location.reload();
    }
  };
  const watch = () => {
    const doc = live();
    if (!doc) return void setTimeout(watch, 15);
    doc.on_event("connection_lost", () => { if (!leaving) mend(); });
    if (doc.is_idle) ready(); else doc.idle.connect(ready);
  };
  let leaving = false;
  addEventListener("pagehide", () => { leaving = true; });
  addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });
  if (slots.length) watch();

  // --- soft links: the address changes, the page follows, nothing is loaded again --------------------------
  const tell = () => {
    for (const model of models()) {
      if (model.name !== "address") continue;
      // The same address once more means: look again.
      model.search = model.search === location.search ? `${location.search}&` : location.search;
      return true;
    }
    return false;
  };
  const go = (href) => {
    history.pushState(null, "", href);
    if (!tell()) location.reload();
  };
  document.addEventListener("click", (event) => {
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.button) return;
    const link = event.composedPath().find((node) => node.matches?.("a[data-soft]"));
    if (!link || badge?.dataset.state !== "live") return;
    event.preventDefault();
    go(link.getAttribute("href"));
    // On a narrow screen what a row opens stands below the list.
    if (link.matches("[data-row]")) [...deep(".story")].at(-1)?.scrollIntoView({ block: "nearest", behavior: "smooth" });
  });
  addEventListener("popstate", () => { if (!tell()) location.reload(); });

  // --- buttons that do something, and their keys ----------------------------------------------------------
  const deep = function* (selector, root = document) {
    for (const node of root.querySelectorAll("*")) {
      if (node.matches(selector)) yield node;
      if (node.shadowRoot) yield* deep(selector, node.shadowRoot);
    }
  };
  // The answer of the API to a change; null when it is away.
  const ask = async (path, body, method = "POST", more = {}) => {
    const headers = { "X-CSRF-Token": $("meta[name=csrf]").content, ...more };
    if (body !== undefined) headers["Content-Type"] = "application/json";
    const sent = body === undefined ? undefined : JSON.stringify(body);
    const answer = await fetch(path, { method, headers, body: sent }).catch(() => null);
    if (answer?.status === 401) location.reload();
    return answer;
  };
  window.signaldesk = { ask, deep, go };
  // Seconds from now, or tomorrow at nine where the viewer is.
  const moment = (until) => {
    const found = new Date();
    if (until === "tomorrow") { found.setDate(found.getDate() + 1); found.setHours(9, 0, 0, 0); }
    else found.setSeconds(found.getSeconds() + Number(until));
    return found.toISOString();
  };
  const act = async (button) => {
    button.disabled = true;
    const { body, until, post, method, then } = button.dataset;
    const answer = await ask(post, until ? { until: moment(until) } : body ? JSON.parse(body) : undefined, method);
    if (answer?.ok) {
      for (const menu of deep(".pop[open]")) menu.open = false;
      tellAll("");
      // A document that is drawn again in the same state keeps this very button.
      button.disabled = false;
      if (then) go(then);
      return;
    }
    button.disabled = false;
    const problem = await answer?.json().catch(() => null);
    tellAll(problem?.errors?.map((one) => one.message).join("; ") || problem?.detail || "The server is away; try again.");
  };
  const tellAll = (words) => { for (const out of deep("[data-said]")) out.textContent = words; };
  const step = (by) => {
    const rows = [...deep("[data-row]")];
    const at = rows.findIndex((row) => row.hasAttribute("aria-current"));
    const row = rows[Math.max(0, Math.min(rows.length - 1, at + by))];
    row?.scrollIntoView({ block: "nearest" });
    row?.click();
  };
  document.addEventListener("click", (event) => {
    const button = event.composedPath().find((node) => node.matches?.("button[data-post]"));
    if (button) act(button);
  });
  document.addEventListener("keydown", (event) => {
    const typing = event.composedPath()[0].matches?.("input, textarea, select");
    if (typing || event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
    if (event.key === "j") step(1);
    else if (event.key === "k") step(-1);
    else if (event.key === "/") {
      const field = [...deep("[data-slash]")].at(-1);
      if (field) { event.preventDefault(); field.focus(); }
    }
    else [...deep(`[data-key="${CSS.escape(event.key)}"]`)].at(-1)?.click();
  });

  // --- navigation on small screens -----------------------------------------------------------------------
  const burger = $("[data-burger]");
  const open = (on) => {
    document.body.classList.toggle("nav-open", on);
    burger.setAttribute("aria-expanded", String(on));
    if (on) $(".side a")?.focus(); else burger.focus();
  };
  burger?.addEventListener("click", () => open(!document.body.classList.contains("nav-open")));
  document.addEventListener("pointerdown", (event) => {
    if (document.body.classList.contains("nav-open") && !event.target.closest(".side, [data-burger]")) open(false);
    const path = event.composedPath();
    const menus = [...document.querySelectorAll(".menu[open]"), ...deep(".pop[open]")];
    for (const menu of menus) if (!path.includes(menu)) menu.open = false;
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    if (document.body.classList.contains("nav-open")) open(false);
    for (const menu of [...document.querySelectorAll(".menu[open]"), ...deep(".pop[open]")]) menu.open = false;
  });

  // --- command palette -----------------------------------------------------------------------------------
  const palette = $("dialog.palette");
  if (!palette) return;
  const field = $("input", palette);
  const items = [...palette.querySelectorAll("[role=option]")];
  const shown = () => items.filter((item) => !item.hidden);
  const choose = (item) => {
    items.forEach((other) => other.setAttribute("aria-selected", String(other === item)));
    field.setAttribute("aria-activedescendant", item?.id ?? "");
    item?.scrollIntoView({ block: "nearest" });
  };
  const filter = () => {
    const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
    items.forEach((item) => { item.hidden = !words.every((word) => item.textContent.toLowerCase().includes(word)); });
    $("p", palette).hidden = shown().length > 0;
    choose(shown()[0]);
  };
  const run = (item) => {
    if (!item) return;
    palette.close();
    if (item.dataset.href) location.assign(item.dataset.href);
    else $(item.dataset.press)?.click();
  };
  const summon = () => { field.value = ""; filter(); palette.showModal(); field.focus(); };
  $("[data-palette]")?.addEventListener("click", summon);
  document.addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
      event.preventDefault();
      if (palette.open) palette.close(); else summon();
    }
  });
  field.addEventListener("input", filter);
  field.addEventListener("keydown", (event) => {
    const list = shown();
    const at = list.findIndex((item) => item.getAttribute("aria-selected") === "true");
    if (event.key === "ArrowDown") choose(list[(at + 1) % list.length]);
    else if (event.key === "ArrowUp") choose(list[(at - 1 + list.length) % list.length]);
    else if (event.key === "Enter") run(list[at]);
    else return;
    event.preventDefault();
  });
  items.forEach((item) => item.addEventListener("click", () => run(item)));
  palette.addEventListener("click", (event) => { if (event.target === palette) palette.close(); });
})();
