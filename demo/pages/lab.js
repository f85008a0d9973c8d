/* What the page does without asking the server: the address bar, the player's clock, which fields a card shows.
   Does not know what any of it means. */
window.mcgurk = (() => {
  const find = (id) => document.getElementById(id);
  /* A Space shows this page in a frame and hands its own query on to it: links go to the Space. */
  const space = () => document.querySelector('meta[name="mcgurk-space"]')?.content;
  const page = () => space() || location.origin + location.pathname;

  /* The state in the address bar; keys of the host ("__theme") stay. It is replaced, so that "back" need not go through
     everything that was ever asked. */
  let stated = null; // the last query
  function address(query) {
    stated = query;
    const kept = location.search.slice(1).split("&").filter((part) => part.startsWith("__"));
    const parts = [...kept, ...(query ? [query] : [])].join("&");
    history.replaceState(history.state, "", location.pathname + (parts ? "?" + parts : ""));
    if (space() && window.parent !== window) window.parent.postMessage({ queryString: parts }, new URL(space()).origin);
  }

  async function copy(query) {
    if (!query) return;
    address(query);
    const link = page() + "?" + query;
    try {
      await navigator.clipboard.writeText(link);
    } catch {
      const field = Object.assign(document.createElement("textarea"), { value: link });
      document.body.append(field);
      field.select();
      document.execCommand("copy");
      field.remove();
    }
    const button = find("copy-link");
    button.dataset.said = "Copied";
    setTimeout(() => delete button.dataset.said, 1600);
  }

  /* A card shows the fields that belong to the chosen word. */
  function choose(id, value) {
    const card = find(id)?.closest(".card");
    if (card) card.dataset.choice = value;
  }

  /* The chosen clip scrolls into its picker, without moving the page. */
  function reveal() {
    setTimeout(() => {
      const chosen = document.querySelector(".thumbs label.selected");
      const list = chosen?.parentElement;
      if (list) list.scrollTop = chosen.offsetTop - list.offsetTop - 2;
    }, 50);
  }

  function show(step) {
    const film = document.querySelector("#frames .film");
    if (!film || film.dataset.at === String(step)) return;
    film.dataset.at = step;
    const time = film.dataset.times.split(",")[step];
    for (const clock of film.querySelectorAll("figcaption span")) clock.textContent = `${Number(time).toFixed(1)} s`;
    for (const figure of document.querySelectorAll("#frames figure"))
      figure.querySelectorAll("img").forEach((image, n) => image.classList.toggle("on", n === Number(step)));
  }

  function press(id) {
    setTimeout(() => (find(id)?.closest("a") || find(id)?.querySelector("a, button") || find(id))?.click(), 150);
  }

  /* The frames and the playhead follow the player. */
  function follow(video) {
    const film = document.querySelector("#frames .film");
    if (film) {
      const times = film.dataset.times.split(",").map(Number);
      const step = Math.max(0, times.findLastIndex((time) => time <= video.currentTime + 1e-3));
      show(step);
      for (const input of document.querySelectorAll("#frame input")) input.value = step;
    }
    const sound = document.querySelector("#sound-map .spectrogram");
    if (sound) {
      const { seconds, left, right } = sound.dataset;
      const share = Math.min(1, video.currentTime / Number(seconds));
      sound.querySelector(".playhead").style.left = `${100 * (Number(left) + (right - left) * share)}%`;
    }
  }

  function tick(video) {
    if (!video.isConnected) return;
    follow(video);
    if (!video.paused && !video.ended) requestAnimationFrame(() => tick(video));
  }

  for (const event of ["play", "seeked"])
    document.addEventListener(event, (e) => { if (e.target.closest?.("#player")) tick(e.target); }, true);

  /* Arrow keys move within a row of choices, as in any group of radio buttons; each choice here has a group of its own. */
  const STEPS = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };
  document.addEventListener("keydown", (e) => {
    const group = e.target.matches?.("input[type=radio]") && e.target.closest(".pills, .thumbs");
    if (!group || !(e.key in STEPS)) return;
    e.preventDefault();
    const choices = [...group.querySelectorAll("input[type=radio]")];
    const next = choices[(choices.indexOf(e.target) + STEPS[e.key] + choices.length) % choices.length];
    next.focus();
    next.click();
  });

  /* A click on the spectrogram moves the player there. */
  document.addEventListener("click", (e) => {
    const sound = !e.target.closest?.(".moments") && e.target.closest?.(".spectrogram"); // moments are picked
    const video = document.querySelector("#player video");
    if (!sound || !video) return;
    const { seconds, left, right } = sound.dataset;
    const box = sound.getBoundingClientRect();
    const share = ((e.clientX - box.left) / box.width - left) / (right - left);
    video.currentTime = Math.min(Math.max(share, 0), 1) * seconds;
  });

  /* Where there was no room in the queue, the page asks again by itself, unless something else was asked meanwhile. */
  let refused = null;
  const refusal = () => document.querySelector("#status [data-again]")?.dataset;
  setInterval(() => {
    const said = refusal();
    if (!said || said.refusal === refused) return;
    const one = (refused = said.refusal);
    setTimeout(() => { if (refusal()?.refusal === one) find("go")?.click(); }, 1000 * (Number(said.again) + Math.random()));
  }, 500);

  /* The drawer with the visitor's own clips. It lies over the cards, which can't be reached then, and moves nothing.
     An open one is an entry of the browser's history: "back" closes it, and does not leave the page. */
  let opener = null, wanted = "see"; // to see what is brought, or to hear it
  let leaving = false; // the entry that is being taken off
  const isOpen = () => find("shelf")?.hasAttribute("data-open");
  const purpose = () => wanted;
  const covers = () => !window.matchMedia("(max-width: 760px)").matches;
  const entry = () => history.state?.drawer;
  function enter() {
    if (!entry()) history.pushState({ ...history.state, drawer: true }, "");
  }
  function put(open) {
    const drawer = find("shelf"), cards = document.querySelector(".cards");
    if (!drawer || open === isOpen()) return;
    if (open) opener = document.activeElement;
    Object.assign(drawer, { role: "dialog", ariaLabel: "Your clips" });
    drawer.toggleAttribute("data-open", open);
    if (cards) cards.inert = open && covers();
    document.documentElement.style.scrollPaddingBottom = open && !covers() ? "62vh" : ""; // what has the focus is above it
    (open ? find("upload") : opener)?.focus({ preventScroll: true });
  }
  function shelf(open, what = "see") {
    wanted = what;
    put(open);
    if (open && !leaving) enter();
    if (open || !entry() || leaving) return;
    leaving = true;
    history.back();
  }
  window.addEventListener("popstate", () => {
    if (leaving) {
      leaving = false;
      if (isOpen()) enter(); // it was opened again meanwhile
    } else put(Boolean(entry()));
    if (stated !== null) address(stated); // the entry that was come to bears an older one
  });
  /* Where the focused button is gone, with the last clip, the next thing to do has the focus. */
  function stay() {
    const lost = () => document.activeElement === document.body || !document.activeElement.checkVisibility();
    setTimeout(() => { if (isOpen() && lost()) find("upload").focus({ preventScroll: true }); }, 100);
  }
  /* A row of choices is named in a sentence beside it, which screen readers don't take for its name. */
  setInterval(() => {
    for (const group of document.querySelectorAll("fieldset:not([aria-label])"))
      group.ariaLabel = group.querySelector("[data-testid=block-info]")?.textContent.trim() ?? "";
  }, 1000);

  /* Gradio sends a number that is out of range as it was typed, is refused, and then shows the nearest that is not. */
  document.addEventListener("blur", (e) => {
    const field = e.target;
    if (!field.matches?.("input[type=number]")) return;
    const range = field.closest(".block")?.querySelector("input[type=range]") ?? field;
    const [least, most] = [range.min, range.max].map((end) => (end === "" ? NaN : Number(end)));
    const empty = field.value === "" && range !== field; // a slider always stands somewhere
    let value = empty ? Number(range.value) : Number(field.value);
    if (field.value === "" && !empty) return;
    if (value < least) value = least;
    if (value > most) value = most;
    if (!empty && value === Number(field.value)) return;
    field.value = value;
    field.dispatchEvent(new Event("input", { bubbles: true }));
  }, true);

  /* The window that counts follows the slider before the clip is cut. */
  function trim(start) {
    const strip = document.querySelector("#window .strip");
    if (strip) strip.querySelector("i").style.left = `${(100 * start) / Number(strip.dataset.duration)}%`;
  }

  /* What is on its way, or being cut, is said until it is done or was refused. */
  let refusals = 0;
  function say(text) {
    const line = document.querySelector("#arriving p, #phone-said p");
    if (line) line.textContent = text;
  }
  const toasts = () => [...document.querySelectorAll(".toast-body")].reduce((sum, one) => sum + one.textContent.length, 0);
  function arriving(files) {
    refusals = toasts();
    say(files.length === 1 ? `Bringing ${files[0].name} …` : `Bringing ${files.length} files …`);
    const waiting = setInterval(() => {
      if (toasts() > refusals) say("");
      if (!document.querySelector("#arriving p")?.textContent) clearInterval(waiting);
    }, 300);
  }
  /* What is too large is said before it travels, as the server would say it. */
  function tooLarge(files) {
    const most = window.gradio_config?.max_file_size ?? Infinity, inMegabytes = (bytes) => Math.ceil(bytes / 1e6);
    const one = [...files].find((file) => file.size > most);
    return one && `The file ${one.name} has ${inMegabytes(one.size)} MB, the limit is ${inMegabytes(most)} MB: shorten it first.`;
  }
  document.addEventListener("change", (e) => {
    if (!e.target.matches?.("#shelf input[type=file], #phone-upload input[type=file]") || !e.target.files.length) return;
    const refusal = tooLarge(e.target.files);
    if (refusal) {
      e.stopImmediatePropagation();
      e.target.value = "";
      say(refusal);
    } else arriving(e.target.files);
  }, true);

  /* Pasted and dropped files go the way of uploaded ones. */
  function take(files) {
    const input = find("upload")?.parentElement.querySelector("input[type=file]");
    if (!files?.length || !input) return false;
    const chosen = new DataTransfer();
    for (const file of files) chosen.items.add(file);
    if (!isOpen()) shelf(true);
    input.files = chosen.files;
    input.dispatchEvent(new Event("change", { bubbles: true }));
    return true;
  }
  /* The same file may be chosen again; a browser tells only of a change. */
  document.addEventListener("click", (e) => { if (e.target.matches?.("input[type=file]")) e.target.value = ""; }, true);
  document.addEventListener("paste", (e) => { if (take(e.clipboardData?.files)) e.preventDefault(); });
  document.addEventListener("dragover", (e) => { if (find("shelf") && e.dataTransfer?.types.includes("Files")) e.preventDefault(); });
  document.addEventListener("drop", (e) => { if (take(e.dataTransfer?.files)) e.preventDefault(); });
  document.addEventListener("keydown", (e) => {
    if (e.key === "Escape" && isOpen()) shelf(false);
  });

  return { address, copy, choose, frame: show, press, purpose, reveal, say, shelf, stay, trim };
})();
