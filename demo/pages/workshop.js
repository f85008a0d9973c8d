/* The form of an intervention: what its controls hold becomes one word, id~name~value~name~value, in a hidden field.
   Does not know what any of it means. */
window.mcgurk.workshop = (() => {
  /* Into a hidden field of Gradio's, as if it had been typed. */
  function write(id, text) {
    const field = document.querySelector(`#${id} textarea, #${id} input`);
    if (!field || field.value === text) return;
    field.value = text;
    field.dispatchEvent(new Event("input", { bubbles: true }));
  }

  let count = 0;
  const wish = (text) => write("wish", `${++count} ${text}`);

  const ends = (layers) => [...layers.querySelectorAll("input.end")].map((end) => Number(end.value)).sort((a, b) => a - b);

  function word(how) {
    const parts = [how.dataset.id];
    for (const control of how.querySelectorAll("[data-name]")) {
      if (control.type === "radio" && !control.checked) continue;
      const value = control.value.trim().replace(/[\s,]+/g, control.type === "text" ? "." : " ");
      if (value) parts.push(control.dataset.name, value);
    }
    for (const layers of how.querySelectorAll("[data-layers]")) {
      const [first, last] = ends(layers);
      const whole = first === 0 && last === Number(layers.querySelector("input.end").max);
      if (!whole) parts.push(layers.dataset.layers, `${first}-${last}`);
    }
    return parts.join("~");
  }

  /* What a control holds is said beside it at once. */
  function say(control) {
    const layers = control.closest("[data-layers]");
    if (layers) {
      const [first, last] = ends(layers);
      const whole = first === 0 && last === Number(control.max);
      layers.querySelector("output").textContent = whole ? "all" : first === last ? first : `${first} to ${last}`;
      return;
    }
    const said = control.closest(".control")?.querySelector("output");
    if (said) said.textContent = control.value;
  }

  /* A new form is put into the old one's elements, and what a visitor did to one of those would outlast it: each control
     holds what its markup says. */
  let form = "";
  function renew() {
    const how = document.querySelector("#how .how");
    if (!how || how.dataset.form === form) return;
    form = how.dataset.form;
    for (const control of how.querySelectorAll("input")) {
      if (control.type === "radio") control.checked = control.defaultChecked;
      else control.value = control.defaultValue;
    }
    for (const option of how.querySelectorAll("option")) option.selected = option.defaultSelected;
  }
  new MutationObserver(renew).observe(document.documentElement, {
    childList: true, subtree: true, attributes: true, attributeFilter: ["data-form"],
  });

  document.addEventListener("input", (e) => { if (e.target.closest?.(".how")) say(e.target); });
  document.addEventListener("change", (e) => {
    const how = e.target.closest?.(".how");
    if (!how) return;
    if (["picture", "sound", "text"].includes(e.target.value)) how.dataset.of = e.target.value;
    write("does", word(how));
  });
  document.addEventListener("click", (e) => {
    const button = e.target.closest?.("[data-wish]");
    if (button) wish(button.dataset.wish);
  });

  const look = (at) => write("look-at", `${++count} ${at}`);

  return { wish, look };
})();
