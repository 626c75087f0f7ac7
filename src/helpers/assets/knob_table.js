(() => {
  const root = document.getElementById("TABLE_ID");
  if (!root || root.dataset.ready) return;
  root.dataset.ready = "yes";
  const controls = root.querySelector(".kn-controls");
  const [text, verdict, group, moved] = ["text", "verdict", "group", "moved"]
    .map((name) => controls.querySelector(`[name=${name}]`));
  const count = root.querySelector(".kn-count");
  const rows = [...root.querySelectorAll("tbody tr")];
  const apply = () => {
    const words = text.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const row of rows) {
      const keep = (!verdict.value || row.dataset.verdict === verdict.value)
        && (!group.value || row.dataset.group === group.value)
        && (!moved.value || row.dataset.moved.split("|").includes(moved.value))
        && words.every((word) => row.dataset.text.includes(word));
      row.hidden = !keep;
      shown += keep;
    }
    count.textContent = `${shown} of ${rows.length} keys shown`;
  };
  controls.addEventListener("input", apply);
  controls.addEventListener("submit", (event) => event.preventDefault());
  controls.addEventListener("reset", () => setTimeout(apply));
  controls.hidden = false;
  apply();
})();
