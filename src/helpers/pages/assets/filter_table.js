(() => {
  const root = document.getElementById("TABLE_ID");
  if (!root || root.dataset.ready) return;
  root.dataset.ready = "yes";
  const controls = root.querySelector(".ft-controls");
  const text = controls.querySelector("[name=text]");
  const choices = [...controls.querySelectorAll("select")];
  const count = root.querySelector(".ft-count");
  const rows = [...root.querySelectorAll("tbody tr")];
  const apply = () => {
    const words = text.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const row of rows) {
      const keep = choices.every(({ name, value }) =>
          !value || row.dataset[name].split("|").includes(value))
        && words.every((word) => row.dataset.text.includes(word));
      row.hidden = !keep;
      shown += keep;
    }
    count.textContent = count.dataset.shown.replace("{shown}", shown).replace("{all}", rows.length);
  };
  controls.addEventListener("input", apply);
  controls.addEventListener("submit", (event) => event.preventDefault());
  controls.addEventListener("reset", () => setTimeout(apply));
  controls.hidden = false;
  apply();
})();
