// Ranks the entries of search_index.js (helpers.site.search): a page's title before a heading before
// its opening, which says what it is about, before other text, where length counts against a word.
// Words that were asked together count more side by side. A page stands once, with its best place.
(() => {
  const { pages, synonyms } = SEARCH_INDEX;
  const KEYS = "notebooks/key_index";  // of a key's rows, the one that names its others
  const SHOWN = 20;
  const EXCERPT = 160;

  // Words without their endings, numbers without commas, Chinese in pairs.
  const stem = (word) => word.length < 4 || /\d/.test(word) ? word
    : word.replace(/ies$/, "y").replace(/(?<=.{3})(ing|ed|es|s|e)$/, "").replace(/(.)\1$/, "$1");
  const words = (text) => (text.toLowerCase().replace(/(?<=\d),(?=\d{3})/g, "")
    .match(/[a-z]+|\d+(?:\.\d+)?|[\u3400-\u9fff]+/g) ?? []).flatMap((word) => {
    if (!/[\u3400-\u9fff]/.test(word)) return [stem(word)];
    return word.length < 2 ? [word] : [...word].slice(1).map((second, i) => word[i] + second);
  });
  const joined = (text) => ` ${words(text).join(" ")} `;
  const SMALL = new Set(words("a an the of for in on to my do is how what which with and i"));
  const telling = (text) => words(text).filter((word) => !SMALL.has(word));
  const neighbours = (list) => list.slice(1).map((word, i) => [list[i], word].sort().join(" "));

  const entries = pages.flatMap(([page, title, sections]) =>
    sections.map(([anchor, heading, text, row]) => {
      const counts = new Map();
      for (const word of words(text)) counts.set(word, (counts.get(word) ?? 0) + 1);
      const named = heading === title ? "" : heading;
      return { page, title, anchor, heading: named, text, row, counts,
        top: joined(title), head: joined(named), near: new Set(neighbours(telling(text))),
        opening: !row && !named, term: row && page.endsWith("glossary") };
    }));
  const usual = entries.reduce((sum, { text }) => sum + text.length, 0) / entries.length;

  const places = new Map();
  for (const { page, counts, top, head } of entries) {
    for (const word of new Set([...counts.keys(), ...top.split(" "), ...head.split(" ")])) {
      if (!places.has(word)) places.set(word, new Set());
      places.get(word).add(page);
    }
  }
  const rarity = (word) => Math.log(1 + pages.length / (0.5 + (places.get(word)?.size ?? 0)));

  // What is asked, and the same in other words.
  const phrasings = (query) => {
    const asked = joined(query);
    const own = telling(query);
    const all = [{ words: own.length ? own : words(query), weight: 1 }];
    for (const group of synonyms) {
      const met = group.find((one) => asked.includes(joined(one)));
      if (!met) continue;
      for (const other of group) {
        if (other !== met) {
          all.push({ weight: 0.75, words: telling(asked.replace(joined(met), joined(other))) });
        }
      }
    }
    return all;
  };

  const score = (entry, { words: asked, weight }, key) => {
    const phrase = ` ${asked.join(" ")} `;
    const rare = 0.75 * (1 + entry.text.length / usual);
    let sum = 0;
    let met = 0;
    for (const word of asked) {
      const at = ` ${word} `;
      const times = entry.counts.get(word) ?? 0;
      const value = (entry.row ? 0 : 6 * entry.top.includes(at)) + 4 * entry.head.includes(at)
        + (entry.opening ? 6 : 2) * times / (times + rare);
      met += value > 0;
      sum += rarity(word) * value;
    }
    const pairs = neighbours(asked);
    if (!entry.row && entry.top.includes(phrase)) sum += 8;
    if (!entry.row && entry.head.includes(phrase)) sum += entry.head === phrase ? 10 : 5;
    if (pairs.length) sum += 4 * pairs.filter((one) => entry.near.has(one)).length / pairs.length;
    if (key && entry.row && entry.head.endsWith(phrase)) sum += entry.page === KEYS ? 80 : 40;
    return weight * sum * (met / asked.length) ** 2 * (entry.row && !entry.term ? 0.5 : 1);
  };

  const find = (query) => {
    const asked = phrasings(query).filter((one) => one.words.length);
    const key = /\w[_.]\w/.test(query);  // typed as the configs write it
    const chinese = /[\u3400-\u9fff]/.test(query);
    const found = new Map();
    for (const entry of entries) {
      const foreign = !chinese && entry.page.startsWith("book/zh/");
      const points = (foreign ? 0.25 : 1)
        * Math.max(0, ...asked.map((one) => score(entry, one, key)));
      if (points > 0.5) {
        if (!found.has(entry.page)) found.set(entry.page, []);
        found.get(entry.page).push({ entry, points });
      }
    }
    return [...found.values()].map((hits) => {
      hits.sort((a, b) => b.points - a.points);
      const depth = hits.filter(({ entry }) => !entry.row || entry.term).slice(0, 8);
      const more = depth.reduce((sum, { points }) => sum + points, 0);
      return { hits, points: hits[0].points + 0.25 * more };
    }).sort((a, b) => b.points - a.points).slice(0, SHOWN);
  };

  const element = (kind, text, css) => {
    const made = document.createElement(kind);
    if (text) made.textContent = text;
    if (css) made.className = css;
    return made;
  };
  const link = ({ page, title, anchor, heading }, text) => {
    const made = element("a", text ?? (heading ? `${title}: ${heading}` : title));
    made.href = `${page}.html${heading ? `#${anchor}` : ""}`;
    return made;
  };
  const excerpt = ({ text }, query) => {
    const lower = text.toLowerCase();
    const first = query.toLowerCase().match(/[a-z]{3,}|\d+|[\u3400-\u9fff]{2}/g)?.map((word) =>
      lower.indexOf(word)).filter((at) => at >= 0).sort((a, b) => a - b)[0] ?? 0;
    const start = Math.max(0, text.lastIndexOf(" ", Math.max(0, first - EXCERPT / 3)));
    return `${start ? "…" : ""}${text.slice(start, start + EXCERPT).trim()}`
      + (text.length > start + EXCERPT ? "…" : "");
  };

  const show = () => {
    const query = new URLSearchParams(location.search).get("q")?.trim() ?? "";
    const box = document.getElementById("search-results");
    document.querySelectorAll("form.bd-search input[name=q]").forEach((field) => {
      field.value = query;
    });
    if (!query) return;
    const results = find(query);
    const said = results.length ? `${results.length} pages for “${query}”`
      : `Nothing matches “${query}”. Try one word of it, or a key's last part.`;
    const status = element("p", said, "search-summary");
    status.setAttribute("role", "status");
    const list = element("ul", "", "search");
    for (const { hits } of results) {
      const item = element("li");
      item.append(link(hits[0].entry), element("p", excerpt(hits[0].entry, query), "context"));
      const others = hits.slice(1, 4).filter(({ entry }) => entry.heading);
      if (others.length) {
        const also = element("p", "Also: ", "also");
        others.forEach(({ entry }, number) => {
          if (number) also.append(" · ");
          also.append(link(entry, entry.heading));
        });
        item.append(also);
      }
      list.append(item);
    }
    box.replaceChildren(status, list);
  };
  show();
})();
