// Forms and lists inside live parts: what is typed goes to the API as JSON, rows are added, alerts are chosen in
// numbers. Events are heard at the document: `click` and `input` leave a shadow root, `submit` and `change` do not.
(() => {
  "use strict";
  const { ask, deep, go } = window.signaldesk;
  const hit = (event, selector) => event.composedPath().find((node) => node.matches?.(selector));

  // --- a form as JSON ------------------------------------------------------------------------------------
  // `matchers.0.name` is a path; `data-as` says what an empty or a local value means.
  const value = (field) => {
    if (field.type === "checkbox" || field.type === "radio") return field.checked ? field.value : undefined;
    const text = field.value.trim();
    if (field.dataset.as === "null") return text || null;
    if (field.dataset.as === "time") return text ? new Date(text).toISOString() : undefined;
    return text || (field.dataset.as === "text" ? "" : undefined);
  };
  const put = (whole, path, given) => {
    const steps = path.split(".");
    steps.slice(0, -1).forEach((step, at) => { whole = whole[step] ??= /^\d+$/.test(steps[at + 1]) ? [] : {}; });
    const last = steps.at(-1);
    if (Array.isArray(whole)) whole.push(given); else whole[last] = given;
  };
  const read = (form) => {
    const found = {};
    for (const field of form.elements) {
      if (!field.name || field.name.startsWith("-") || field.disabled || field.closest("[hidden]")) continue;
      const given = value(field);
      if (given !== undefined) put(found, field.name, given);
    }
    return found;
  };
  const complain = (form, answer, problem) => {
    const faults = problem?.errors ?? [];
    for (const field of form.elements) {
      if (field.name) field.toggleAttribute("aria-invalid", faults.some((one) => one.field === field.name));
    }
    const out = form.querySelector("[role=alert]") ?? form.appendChild(document.createElement("p"));
    out.className = "fault";
    out.setAttribute("role", "alert");
    const said = faults.map((one) => [one.field, one.message].filter(Boolean).join(": "));
    out.textContent = answer?.ok ? "" : said.join("; ") || problem?.detail || "The server is away; try again.";
    out.hidden = Boolean(answer?.ok);
  };
  const send = async (form, button) => {
    button.disabled = true;
    const answer = await ask(form.dataset.send, read(form), form.dataset.method);
    button.disabled = false;
    complain(form, answer, answer?.ok ? null : await answer?.json().catch(() => null));
    if (!answer?.ok) return;
    if ("clear" in form.dataset) form.reset();
    form.closest(".pop")?.removeAttribute("open");
    if (form.dataset.next) go(form.dataset.next);
  };
  document.addEventListener("click", (event) => {
    const button = hit(event, "button[type=submit]");
    const form = button?.form;
    if (!form?.matches("[data-send], [data-soft]")) return;
    event.preventDefault();
    if (!form.reportValidity()) return;
    if (form.matches("[data-send]")) return void send(form, button);
    const filled = [...new FormData(form)].filter(([, given]) => given !== "");
    go(`?${new URLSearchParams(filled)}`);
    form.querySelector(".pop")?.removeAttribute("open");
  });
  document.addEventListener("keydown", (event) => {
    const field = hit(event, "form[data-send] textarea, form[data-soft] input");
    const sends = field?.matches("textarea") ? event.ctrlKey || event.metaKey : true;
    if (field && sends && event.key === "Enter") { event.preventDefault(); field.form.querySelector("[type=submit]").click(); }
  });

  // --- rows that come and go, parts that show when something is chosen, times by a button --------------------
  const number = (rows) => [...rows.querySelectorAll("[data-part]")].forEach((row, at) => {
    for (const field of row.querySelectorAll("[name]")) field.name = field.name.replace(/\.\d+\./, `.${at}.`);
    for (const place of row.querySelectorAll("[data-fault]")) place.dataset.fault = place.dataset.fault.replace(/\.\d+\./, `.${at}.`);
  });
  document.addEventListener("click", (event) => {
    const add = hit(event, "[data-add]"), drop = hit(event, "[data-drop]"), time = hit(event, "[data-in]");
    if (add) {
      const rows = add.closest("form").querySelector(`[data-rows="${add.dataset.add}"]`);
      const row = rows.lastElementChild.cloneNode(true);
      for (const field of row.querySelectorAll("input")) field.value = "";
      rows.append(row);
      number(rows);
      row.querySelector("input").focus();
    } else if (drop) {
      const rows = drop.closest("[data-rows]");
      if (rows.children.length > 1) drop.closest("[data-part]").remove();
      else for (const field of rows.querySelectorAll("input")) field.value = "";
      number(rows);
      preview(rows.closest("form"));
    } else if (time) {
      const end = new Date(Date.now() + 1000 * Number(time.dataset.in));
      const local = new Date(end - 60000 * end.getTimezoneOffset()).toISOString().slice(0, 16);
      time.closest("form").querySelector(`[name="${time.dataset.field}"]`).value = local;
    }
  });
  document.addEventListener("input", (event) => {
    const shows = hit(event, "[data-shows]");
    if (shows) for (const part of shows.closest("form").querySelectorAll("[data-when]")) part.hidden = part.dataset.when !== shows.dataset.shows;
    const form = hit(event, "form[data-preview]");
    if (form) preview(form);
  });

  // --- what matchers fit now -----------------------------------------------------------------------------
  const times = (n, word) => `${n} ${word}${n === 1 ? "" : "s"}`;
  let asked = 0;
  const preview = async (form) => {
    const out = form?.querySelector("[data-preview-out]");
    const matchers = (read(form).matchers ?? []).filter((one) => one.name);
    if (!out) return;
    const turn = ++asked;
    await new Promise((done) => setTimeout(done, 250));
    if (turn !== asked) return;
    if (!matchers.length) return void (out.textContent = "Say what it is about.");
    const answer = await ask(form.dataset.preview, { matchers: matchers.map((one) => ({ value: "", ...one })) });
    const found = await answer?.json().catch(() => null);
    if (turn !== asked) return;
    if (!answer?.ok) return void (out.textContent = found?.errors?.[0]?.message ?? "");
    const named = found.first_rules.slice(0, 3).map((one) => one.name).join(", ");
    out.textContent = `Now: ${times(found.alerts, "alert")}, ${times(found.rules, "rule")}${named ? ` (${named}${found.rules > 3 ? ", …" : ""})` : ""}.`;
  };

  // --- alerts chosen in numbers; the list is drawn anew again and again, what is chosen stays -----------------
  const picked = new Set();
  let focused = null, typed = null;
  const show = () => {
    const boxes = [...deep("[data-pick]")];
    const there = new Set(boxes.map((box) => box.dataset.pick));
    for (const id of picked) if (!there.has(id)) picked.delete(id);
    for (const box of boxes) box.checked = picked.has(box.dataset.pick);
    for (const bulk of deep("[data-bulk]")) {
      bulk.hidden = !picked.size;
      const count = bulk.querySelector("[data-picked]"), words = String(picked.size);
      if (count.textContent !== words) count.textContent = words;  // whoever looks on would be told for nothing
      bulk.querySelector("[data-pick-all]").checked = picked.size === there.size;
    }
  };
  const watched = new WeakSet();
  const watch = (root) => {
    if (watched.has(root)) return;
    watched.add(root);
    new MutationObserver(() => {
      show();
      const lost = focused && !root.activeElement && [...root.querySelectorAll("[data-keep]")].find((one) => one.dataset.keep === focused);
      if (!lost) return;
      // A search field that is drawn anew while somebody types: a letter beside it would be a command.
      if (typed !== null && lost.matches("[type=search]")) lost.value = typed;
      lost.focus({ preventScroll: true });
    }).observe(root, { childList: true, subtree: true });
  };
  document.addEventListener("focusin", (event) => {
    const kept = hit(event, "[data-keep]");
    if (focused !== (kept?.dataset.keep ?? null)) typed = null;
    focused = kept?.dataset.keep ?? null;
    if (kept) watch(kept.getRootNode());
  });
  document.addEventListener("pointerdown", (event) => { if (!hit(event, "[data-keep]")) focused = null; });
  document.addEventListener("input", (event) => {
    typed = hit(event, "[type=search][data-keep]")?.value ?? null;
    const one = hit(event, "[data-pick]"), all = hit(event, "[data-pick-all]");
    if (one) { watch(one.getRootNode()); if (one.checked) picked.add(one.dataset.pick); else picked.delete(one.dataset.pick); }
    if (all) for (const box of deep("[data-pick]")) if (all.checked) picked.add(box.dataset.pick); else picked.delete(box.dataset.pick);
    if (one || all) show();
  });
  document.addEventListener("click", async (event) => {
    const button = hit(event, "button[data-many]");
    if (!button) return;
    button.disabled = true;
    const { bulk, noun } = button.closest("[data-bulk]").dataset;
    const answer = await ask(bulk, { ...JSON.parse(button.dataset.many), ids: [...picked] });
    button.disabled = false;
    const found = await answer?.json().catch(() => null), done = answer?.ok ? found : null;
    const said = !done ? found?.detail ?? "The server is away; try again." : done.failed?.length ? `${times(done.failed.length, noun)} could not be changed: ${done.failed[0].detail}` : `${times(done.items.length, noun)} changed`;
    for (const out of deep("[data-said]")) out.textContent = said;
    if (done) picked.clear();
    show();
    if (done && noun === "rule") go(`${location.pathname}${location.search}`);
  });
})();
