// A slider or a menu shows the panel of its choice (helpers.site.plain_widgets).
(() => {
  const show = ({ target }) => {
    const name = target.dataset?.leads;
    if (!name) return;
    const chosen = target.selectedIndex ?? Number(target.value);
    if (target.dataset.values) {
      const said = JSON.parse(target.dataset.values)[chosen];
      target.setAttribute("aria-valuetext", said);
      target.nextElementSibling.textContent = said;
    }
    target.closest(".explorer").querySelectorAll(`[data-follows="${name}"]`).forEach((stack) => {
      [...stack.children].forEach((panel, number) => { panel.hidden = number !== chosen; });
    });
  };
  addEventListener("input", show);
})();
