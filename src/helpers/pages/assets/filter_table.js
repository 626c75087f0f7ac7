(() => {
  const root = document.getElementById("TABLE_ID");
  if (!root || root.dataset.ready) return;
  root.dataset.ready = "yes";
  const controls = root.querySelector(".ft-controls");
  const text = controls.querySelector("[name=text]");
  const menus = [...controls.querySelectorAll("select")];
  const count = root.querySelector(".ft-count");
  const rows = [...root.querySelectorAll("tr[data-text]")];
  const chosen = (menu) => menus.filter((other) => other.dataset.narrows === menu.name)
    .map((other) => other.value).concat(menu.value).filter(Boolean).join(" ");
  const has = ({ dataset }, menu) =>
    (dataset[menu.name] || "").split("|").includes(chosen(menu));
  const apply = () => {
    const words = text.value.toLowerCase().split(/\s+/).filter(Boolean);
    const filters = menus.filter((menu) => menu.value && !menu.dataset.narrows);
    for (const row of rows) {
      row.hidden = !(filters.every((menu) => has(row, menu))
        && words.every((word) => row.dataset.text.includes(word)));
    }
    for (const group of root.querySelectorAll("tbody")) {
      const own = [...group.querySelectorAll("tr[data-text]")];
      const here = own.filter((row) => !row.hidden).length;
      const note = group.querySelector(".ft-shown");
      if (note) note.textContent = here < own.length ? `${here} of ` : "";
      group.hidden = own.length ? !here : (words.length || filters.length)
        && !filters.some((menu) => has(group, menu));
    }
    const shown = rows.filter((row) => !row.hidden).length;
    count.textContent = shown || !rows.length
      ? count.dataset.shown.replace("{all}", rows.length).replace("{shown}", shown)
      : count.dataset.none;
  };
  controls.addEventListener("input", apply);
  controls.addEventListener("submit", (event) => event.preventDefault());
  controls.addEventListener("reset", () => setTimeout(apply));
  controls.hidden = false;
  apply();
})();
