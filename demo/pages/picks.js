/* What is picked on the drawings to be cut off: patches, moments, words, or a whole frame, sound or text at once. A second
   click on the same takes it away.
   Knows where something was picked. Does not know what it is to the models: the server looks that up. */
(() => {
  const picks = new Map(); // part of the word that is sent -> what is said of it
  let prompt = ""; // in which they were picked

  const sheet = () => document.getElementById("dock")?.closest(".sheet"); // Gradio's style rules reach nothing around it
  const picking = () => sheet()?.hasAttribute("data-picking");
  const every = () => document.querySelectorAll("#tabs [data-pick]");

  /* A patch is picked in all frames, or in the one that is shown. */
  const here = (cell) => {
    const film = cell.closest(".film");
    return film ? `${cell.dataset.pick}.${film.dataset.at}` : cell.dataset.pick;
  };
  const single = (cell) => cell.closest(".film") && document.querySelector("#dock [value=this]:checked");
  const picked = (cell) => picks.has(cell.dataset.pick) || picks.has(here(cell));

  function pick(cell, wanted) {
    const all = cell.dataset.pick;
    if (!wanted) {
      picks.delete(all);
      picks.delete(here(cell));
    } else if (single(cell)) {
      if (!picks.has(all)) picks.set(here(cell), cell.title);
    } else {
      for (const one of [...picks.keys()]) if (one.startsWith(`${all}.`)) picks.delete(one);
      picks.set(all, cell.title || cell.textContent.trim());
    }
  }

  /* What can be picked as a whole, and the parts that it has: "frame~2" its patches, "whole~sound", "whole~text". */
  function wholes() {
    const film = document.querySelector("#frames .film"), found = new Map();
    const cells = [...document.querySelectorAll("#frames figure:first-child .patches [data-pick]")];
    const frames = cells.length ? film.dataset.times.split(",") : [];
    frames.forEach((_, at) => found.set(`frame~${at}`, cells.map((cell) => [`${cell.dataset.pick}.${at}`, cell.title])));
    for (const [name, where] of [["whole~sound", "#sound-map .moments [data-pick]"], ["whole~text", "#words-base [data-injected]"]]) {
      const parts = [...document.querySelectorAll(where)].map((cell) => [cell.dataset.pick, cell.title || cell.textContent.trim()]);
      if (parts.length) found.set(name, parts);
    }
    return found;
  }

  /* The patch of one frame is picked with that of all frames. */
  const has = (part) => picks.has(part) || (part.startsWith("patch~") && picks.has(part.replace(/\.\d+$/, "")));
  const nameOf = (button) =>
    button.dataset.whole === "frame" ? `frame~${button.closest(".film").dataset.at}` : `whole~${button.dataset.whole}`;
  const full = (parts) => parts.every(([part]) => has(part));

  function pickWhole(button) {
    const parts = wholes().get(nameOf(button)) ?? [], wanted = !full(parts);
    for (const [part, title] of parts) {
      if (wanted && !has(part)) picks.set(part, title);
      if (!wanted) for (const one of [part, part.replace(/^(patch~\d+\.\d+)\.\d+$/, "$1")]) picks.delete(one);
    }
  }

  /* What is picked, in as few parts as say it. */
  function parts() {
    const found = new Set(picks.keys());
    for (const [name, members] of wholes()) {
      if (!full(members)) continue;
      found.add(name);
      for (const [part] of members) found.delete(part);
    }
    return [...found];
  }

  /* "sound~1.28-1.6": seconds */
  function length(one) {
    const [start, end] = one.split("~")[1].split("-").map(Number);
    return end - start;
  }

  function listed(names, most, rest) {
    return names.slice(0, most).join(", ") + (names.length > most ? ` and ${names.length - most} ${rest}` : "");
  }

  function said() {
    const all = parts(), of = (kind) => all.filter((one) => one.startsWith(kind)), said = [];
    const times = document.querySelector("#frames .film")?.dataset.times.split(",") ?? [];
    const frames = of("frame~").map((one) => Number(one.split("~")[1])).sort((a, b) => a - b);
    const patches = of("patch~").length, words = of("words~").map((one) => `“${picks.get(one)}”`);
    const seconds = of("sound~").reduce((sum, one) => sum + length(one), 0);
    if (frames.length) said.push(`the whole frame${frames.length === 1 ? "" : "s"} at ${listed(frames.map((at) => Number(times[at]).toFixed(1)), 3, "more")} s`);
    if (patches) said.push(`${patches} patch${patches === 1 ? "" : "es"} of the picture`);
    if (all.includes("whole~sound")) said.push("the whole sound");
    if (seconds) said.push(`${seconds.toFixed(1)} s of the sound`);
    if (all.includes("whole~text")) said.push("the whole injected text");
    if (words.length) said.push(listed(words, 4, "more words"));
    return said.join(" · ");
  }

  function set(element, name, value) {
    if (value === null) element.removeAttribute(name);
    else if (element.getAttribute(name) !== value) element.setAttribute(name, value);
  }

  /* The drawings come anew with every view: what is picked is shown on them again. */
  function show() {
    const mark = document.querySelector("#tabs [data-prompt]")?.dataset.prompt;
    if (mark && mark !== prompt) {
      prompt = mark;
      picks.clear();
    }
    const on = Boolean(picking());
    document.getElementById("scissors")?.setAttribute("aria-pressed", on);
    const reached = new Map(); // group -> which of its cells the Tab key reaches
    for (const cell of every()) {
      const group = cell.parentElement;
      if (!reached.has(group)) reached.set(group, group.querySelector(":scope > [data-pick][tabindex='0']") ?? cell);
      set(cell, "aria-pressed", on ? String(picked(cell)) : null);
      set(cell, "tabindex", on ? (cell === reached.get(group) ? "0" : "-1") : null);
      if (cell.localName === "span") set(cell, "role", on ? "button" : null);
    }
    const known = on && wholes();
    for (const button of document.querySelectorAll("#tabs [data-whole]"))
      set(button, "aria-pressed", on ? String(full(known.get(nameOf(button)) ?? [[""]])) : null);
    const dock = document.querySelector("#dock .dock");
    if (!dock) return;
    const output = dock.querySelector("output"), text = said() || output.dataset.none;
    if (output.textContent !== text) output.textContent = text;
    for (const button of dock.querySelectorAll("button")) button.disabled = !picks.size;
    dock.classList.toggle("still", document.querySelectorAll("#frames figure:first-child img").length < 2);
  }

  function turn(on) {
    sheet().toggleAttribute("data-picking", on);
    show();
    if (on && window !== window.top) eye.observe(sheet());
  }

  /* A Space's frame is as high as the page in it, so that "in view" is for the window around it to say: an observer
     alone is told how much of the frame that window shows, and it is asked anew as it does not report every scroll. */
  const LOOK = 150; // ms
  const eye = new IntersectionObserver(([{ isIntersecting, intersectionRect }]) => {
    eye.disconnect();
    const below = Math.max(0, Math.round(innerHeight - intersectionRect.bottom));
    if (isIntersecting) document.documentElement.style.setProperty("--below", `${below}px`);
    setTimeout(() => { if (picking()) eye.observe(sheet()); }, LOOK);
  });

  document.addEventListener("click", (e) => {
    if (e.target.closest?.("#scissors")) turn(!picking());
    const act = e.target.closest?.("#dock [data-do]")?.dataset.do;
    if (act === "clear") picks.clear();
    if (act === "cut") window.mcgurk.workshop.wish(["pick", "of", prompt, ...parts()].join("~"));
    const cell = e.target.closest?.("#tabs [data-pick]");
    if (cell && picking() && !drag?.moved) pick(cell, !picked(cell));
    const whole = picking() && e.target.closest?.("#tabs [data-whole]");
    if (whole) pickWhole(whole);
    if (cell || act || whole) show();
  });

  /* A stroke over patches or moments picks them all, or takes them all away. */
  let drag = null;
  document.addEventListener("pointerdown", (e) => {
    const cell = picking() && e.button === 0 && e.target.closest?.("button[data-pick]");
    drag = cell ? { last: cell, wanted: !picked(cell), moved: false } : null;
  });
  document.addEventListener("pointermove", (e) => {
    if (!drag || !e.buttons) return;
    const cell = document.elementFromPoint(e.clientX, e.clientY)?.closest("[data-pick]");
    const group = drag.last.parentElement;
    if (!cell || cell === drag.last || cell.parentElement !== group) return;
    const cells = [...group.children], [from, to] = [cells.indexOf(drag.last), cells.indexOf(cell)].sort((a, b) => a - b);
    for (const one of group.dataset.columns ? [drag.last, cell] : cells.slice(from, to + 1)) pick(one, drag.wanted);
    drag.last = cell;
    drag.moved = true;
    show();
  });
  for (const end of ["pointerup", "pointercancel"])
    document.addEventListener(end, () => setTimeout(() => { drag = null; })); // the click comes before that

  const STEPS = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1] };
  document.addEventListener("keydown", (e) => {
    if (picking() && e.key === "Escape" && e.target.closest?.("#tabs, #dock")) {
      turn(false);
      document.getElementById("scissors")?.focus();
    }
    const cell = picking() && e.target.matches?.("#tabs [data-pick]") && e.target;
    if (!cell) return;
    if (e.key === "Enter" || e.key === " ") {
      e.preventDefault();
      pick(cell, !picked(cell));
    } else if (e.key in STEPS) {
      e.preventDefault();
      const cells = [...cell.parentElement.querySelectorAll(":scope > [data-pick]")], [across, down] = STEPS[e.key];
      const next = cells[cells.indexOf(cell) + across + down * Number(cell.parentElement.dataset.columns || 1)];
      if (!next) return;
      cell.tabIndex = -1;
      next.tabIndex = 0;
      next.focus();
    } else return;
    show();
  });

  /* Gradio turns old drawings into new ones attribute by attribute, and takes away what the server does not write. */
  const WATCHED = ["data-at", "data-prompt", "aria-pressed"];
  let asked = false;
  new MutationObserver(() => {
    if (asked || !(picking() || picks.size)) return;
    asked = true;
    requestAnimationFrame(() => { asked = false; show(); });
  }).observe(document, { childList: true, subtree: true, attributeFilter: WATCHED });
})();
