/* The grids of heads: what is clicked is chosen in all of them, arrow keys move, buttons act on what is chosen.
   Does not know what a head does. */
(() => {
  const place = (name) => name.split("h").map(Number);

  function chosen(heads) {
    const names = [...heads.querySelectorAll("figure:first-child [aria-pressed=true]")].map((cell) => cell.dataset.head);
    return names.sort((a, b) => place(a)[0] - place(b)[0] || place(a)[1] - place(b)[1]);
  }

  function show(heads) {
    const names = chosen(heads);
    const one = heads.querySelector(`[data-head="${names.at(-1)}"]`);
    heads.querySelector("output").textContent =
      names.length === 0 ? "No head is chosen." : names.length === 1 ? one.title : `${names.length} heads: ${names.join(" ").replaceAll("h", ".")}`;
    for (const button of heads.querySelectorAll(".acts button"))
      button.disabled = !names.length || (button.dataset.act === "map" && names.length !== 1);
  }

  function press(heads, name, on) {
    for (const cell of heads.querySelectorAll(`[data-head="${name}"]`)) cell.setAttribute("aria-pressed", on);
  }

  function act(heads, what) {
    const names = chosen(heads);
    if (what === "none") {
      for (const name of names) press(heads, name, false);
      show(heads);
    } else if (what === "map") {
      window.mcgurk.workshop.look(place(names[0]).join(" "));
    } else {
      const strength = what === "cut" ? 0 : 2;
      window.mcgurk.workshop.wish(`heads~kind~${heads.dataset.kind}~strength~${strength}~chosen~${names.join(".")}`);
    }
  }

  document.addEventListener("click", (e) => {
    const heads = e.target.closest?.(".heads");
    if (!heads) return;
    if (e.target.dataset.act) act(heads, e.target.dataset.act);
    if (!e.target.dataset.head) return;
    press(heads, e.target.dataset.head, e.target.getAttribute("aria-pressed") !== "true");
    show(heads);
  });

  const STEPS = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1] };
  document.addEventListener("keydown", (e) => {
    const cells = e.target.dataset?.head && e.target.closest(".cells");
    if (!cells || !(e.key in STEPS)) return;
    e.preventDefault();
    const [layer, head] = place(e.target.dataset.head);
    const next = cells.querySelector(`[data-head="${layer + STEPS[e.key][0]}h${head + STEPS[e.key][1]}"]`);
    if (!next) return;
    e.target.tabIndex = -1;
    next.tabIndex = 0;
    next.focus();
  });
})();
