(() => {
  const root = document.getElementById("TABLE_ID");
  if (!root || root.dataset.ready) return;
  root.dataset.ready = "yes";
  const controls = root.querySelector(".ct-controls");
  const [text, status, config, section] = ["text", "status", "config", "section"]
    .map((name) => controls.querySelector(`[name=${name}]`));
  const count = root.querySelector(".ct-count");
  const groups = [...root.querySelectorAll("tbody")];
  const rows = [...root.querySelectorAll("tr[data-key]")];

  const matchesStatus = (row) => {
    const configs = config.value ? [config.value] : ["main", "stage1"];
    return !status.value || configs.some((name) =>
      row.dataset[name].split(" ").includes(status.value));
  };
  const apply = () => {
    const words = text.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const row of rows) {
      const keep = matchesStatus(row)
        && (!section.value || row.dataset.sections.split(" ").includes(section.value))
        && words.every((word) => row.dataset.text.includes(word));
      row.hidden = !keep;
      shown += keep;
    }
    const filtered = words.length || status.value || section.value;
    for (const group of groups) {
      const own = group.querySelectorAll("tr[data-key]");
      const here = [...own].filter((row) => !row.hidden).length;
      const open = own.length ? here : !filtered || section.value === group.dataset.section;
      const note = group.querySelector(".ct-shown");
      if (note) note.textContent = here < own.length ? `${here} of ` : "";
      group.hidden = !open;
    }
    count.textContent = `${shown} of ${rows.length} keys shown`;
  };
  controls.addEventListener("input", apply);
  controls.addEventListener("submit", (event) => event.preventDefault());
  controls.addEventListener("reset", () => setTimeout(apply));
  controls.hidden = false;
  apply();
})();
