(() => {
  const root = document.getElementById("TABLE_ID");
  if (!root || root.dataset.ready) return;
  root.dataset.ready = "yes";
  const controls = root.querySelector(".cl-controls");
  const [text, verdict, section] = ["text", "verdict", "section"]
    .map((name) => controls.querySelector(`[name=${name}]`));
  const count = root.querySelector(".cl-count");
  const rows = [...root.querySelectorAll("tbody tr")];
  const apply = () => {
    const words = text.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const row of rows) {
      const keep = (!verdict.value || row.dataset.verdict === verdict.value)
        && (!section.value || row.dataset.section === section.value)
        && words.every((word) => row.dataset.text.includes(word));
      row.hidden = !keep;
      shown += keep;
    }
    count.textContent = `${shown} of ${rows.length} claims shown`;
  };
  controls.addEventListener("input", apply);
  controls.addEventListener("submit", (event) => event.preventDefault());
  controls.addEventListener("reset", () => setTimeout(apply));
  controls.hidden = false;
  apply();
})();
