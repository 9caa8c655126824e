// The rule builder: what is typed goes to the page's server as texts by field; what comes back is the document they
// say, and every fault, put below its field. Saving sends that document to the API, like any other client.
(() => {
  "use strict";
  const { ask, deep } = window.signaldesk;
  const hit = (event, selector) => event.composedPath().find((node) => node.matches?.(selector));
  const draft = () => [...(window.Bokeh?.documents?.[0]?._all_models?.values() ?? [])].find((model) => model.name === "draft");

  // --- fields → texts by name: `when.steps.0.event` is a path, numbers in it are places in lists ------------
  const put = (whole, path, given) => {
    const steps = path.split(".");
    steps.slice(0, -1).forEach((step, at) => { whole = whole[step] ??= /^\d+$/.test(steps[at + 1]) ? [] : {}; });
    const last = steps.at(-1);
    if (Array.isArray(whole)) whole.push(given); else whole[last] = given;
  };
  const gather = () => {
    const found = {};
    for (const form of deep("form[data-draft]")) {
      for (const field of form.elements) {
        if (!field.name || (/^(checkbox|radio)$/.test(field.type) && !field.checked)) continue;
        put(found, field.name, field.value);
      }
    }
    return found;
  };

  // --- to the server, a moment after the last key -------------------------------------------------------------
  let turn = 0, waiting = null, part = null;
  const send = (given) => {
    clearTimeout(waiting);
    waiting = part = null;
    const model = draft();
    if (model) model.sent = JSON.stringify({ turn: ++turn, ...given });
  };
  const flush = () => { if (part) send(part()); };
  const later = (given, ms) => { clearTimeout(waiting); part = given; waiting = setTimeout(flush, ms); };
  // Whoever leaves a field may go on to something that shows the draft.
  document.addEventListener("focusout", flush);
  document.addEventListener("input", (event) => {
    const [field] = event.composedPath(); // a path is empty when its event is over
    if (hit(event, "form[data-draft-yaml]")) later(() => ({ yaml: field.value }), 400);
    else if (hit(event, "form[data-draft]")) later(() => ({ form: gather() }), hit(event, "input[type=radio], select") ? 0 : 250);
  });
  // A press of Enter in a field must not load the page again.
  document.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && hit(event, "form[data-draft] input")) event.preventDefault();
  });

  // --- rows, and fields that are offered ----------------------------------------------------------------------
  document.addEventListener("click", (event) => {
    const add = hit(event, "form[data-draft] [data-add]"), drop = hit(event, "form[data-draft] [data-drop]"), offer = hit(event, "[data-put]");
    if (offer) {
      const [field] = [...deep(`form[data-draft] [name="${offer.dataset.put}"]`)];
      const there = field.value.split(/(?<!\\),/).map((one) => one.trim()).filter(Boolean);
      const at = there.indexOf(offer.dataset.value);
      if (at < 0) there.push(offer.dataset.value); else there.splice(at, 1);
      field.value = there.join(", ");
      send({ form: gather() });
    } else if (add || drop) setTimeout(() => send({ form: gather() }));
  });

  // --- from the server: faults at their fields ------------------------------------------------------------------
  const show = (faults) => {
    const left = new Map(faults.map((one) => [one.field, one.message]));
    const places = [...deep("[data-fault]")];
    const named = new Set(places.map((place) => place.dataset.fault));
    // A fault of a place that no field has is told by the nearest one around it.
    for (const [path, message] of [...left]) {
      let at = path;
      while (at && !named.has(at)) at = at.replace(/\.?[^.]*$/, "");
      if (at === path) continue;
      const step = path.slice(at ? at.length + 1 : 0);
      left.delete(path);
      left.set(at, left.get(at) ?? (/^\d*$/.test(step) ? message : `${step}: ${message}`));
    }
    for (const place of places) {
      const message = left.get(place.dataset.fault);
      place.hidden = !message;
      place.textContent = message ?? "";
      const around = place.closest(".field, fieldset, .step");
      const field = around?.querySelector(`[name="${place.dataset.fault}"]`) ?? around?.querySelector("input.in, textarea.in");
      field?.toggleAttribute("aria-invalid", Boolean(message));
    }
    return left.get("");
  };
  // --- sliders tell a place only: what is read out is the title above them ----------------------------------------
  const name = () => {
    for (const handle of deep(".noUi-handle")) {
      const cell = handle.getRootNode().host.getRootNode();
      handle.setAttribute("aria-label", [...deep(".knob-name", cell)][0]?.textContent ?? "");
    }
  };
  const nameSoon = () => [50, 400, 1500].forEach((ms) => setTimeout(name, ms));

  let answered = { turn: 0, document: null, faults: [] };
  let touched = false;
  const listen = () => {
    const model = draft();
    if (!model) return void setTimeout(listen, 50);
    const take = () => {
      nameSoon();
      if (!model.answer) return;
      answered = JSON.parse(model.answer);
      // Of an empty form nothing is wrong yet.
      if (answered.turn || touched) { touched = true; requestAnimationFrame(() => show(answered.faults)); }
    };
    model.properties.answer.change.connect(take);
    model.properties.sent.change.connect(nameSoon);
    take();
  };
  if (location.pathname === "/rule-builder") listen();

  // --- saving -----------------------------------------------------------------------------------------------------
  const say = (message) => { for (const out of deep("[data-save-fault]")) { out.hidden = !message; out.textContent = message; } };
  const settled = async () => {
    const text = [...deep("form[data-draft-yaml] textarea")].find((one) => one.offsetParent);
    if (turn) flush(); else send(text ? { yaml: text.value } : { form: gather() });
    for (let tries = 0; answered.turn < turn && tries < 100; tries++) await new Promise((done) => setTimeout(done, 30));
    return answered.turn >= turn;
  };
  document.addEventListener("click", async (event) => {
    const button = hit(event, "button[data-save]");
    if (!button) return;
    button.disabled = true;
    touched = true;
    say("");
    const { save, method, version, mode, name } = button.dataset;
    const body = (await settled()) ? answered.document : null;
    if (answered.faults.length || !body) {
      say(show(answered.faults) || "Mend what is marked first.");
      [...deep("[aria-invalid]")][0]?.focus();
    } else {
      const answer = await ask(save, { ...body, ...(mode && { mode }), ...(name && { name }) }, method, Number(version) ? { "If-Match": `"${version}"` } : {});
      const found = await answer?.json().catch(() => null);
      if (answer?.ok) return void location.assign(`/rules?rule=${found.id}`);
      say(show(found?.errors ?? []) || (answer ? found?.detail : "") || "The server is away; try again.");
      [...deep("[aria-invalid]")][0]?.focus();
    }
    button.disabled = false;
  });
})();
