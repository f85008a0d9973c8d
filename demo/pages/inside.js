/* The tokens of the answers: a click chooses whose maps are shown. Does not know what a map is. */
(() => {
  document.addEventListener("click", (e) => {
    const step = e.target.closest?.(".written [data-step]")?.dataset.step;
    const field = document.querySelector("#step textarea, #step input");
    if (step === undefined || !field || field.value === step) return;
    field.value = step;
    field.dispatchEvent(new Event("input", { bubbles: true }));
  });
})();
