// Looks at the page in a frame, as a browser has laid it out. The page itself
// is not touched, and its own policy stays.
function look(frame) {
  const doc = frame.contentDocument, view = frame.contentWindow;
  const box = e => { const r = e.getBoundingClientRect(); return {left: r.left, width: r.width, height: r.height}; };
  const text = e => e ? e.innerText.replace(/\s+/g, " ").trim() : "";
  const root = doc.documentElement;
  const seen = {
    width: root.clientWidth, scrollWidth: root.scrollWidth,
    background: view.getComputedStyle(doc.body).backgroundColor, ink: view.getComputedStyle(doc.body).color,
    outside: [], spilled: [], faint: [], tables: [],
  };

  const scrolls = e => e && e !== doc.body && (view.getComputedStyle(e).overflowX !== "visible" || scrolls(e.parentElement));
  for (const e of doc.body.querySelectorAll("*")) {
    const r = e.getBoundingClientRect();
    if (r.width > 0 && (r.right > root.clientWidth + 0.5 || r.left < -0.5) && !scrolls(e)) seen.outside.push(e.tagName + "." + e.className + " " + text(e).slice(0, 40));
  }
  for (const cell of doc.querySelectorAll("td.num, td.verdict, thead th:not([aria-hidden]), th.name")) {
    const range = doc.createRange();
    range.selectNodeContents(cell);
    const r = range.getBoundingClientRect(), c = cell.getBoundingClientRect();
    if (r.width > 0 && (r.right > c.right + 1 || r.left < c.left - 1)) seen.spilled.push(text(cell));
  }
  const rgb = s => { const m = s.match(/[\d.]+/g).map(Number); return {rgb: m.slice(0, 3), alpha: m.length > 3 ? m[3] : 1}; };
  const light = c => { const [r, g, b] = c.map(v => { v /= 255; return v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4; }); return .2126 * r + .7152 * g + .0722 * b; };
  const behind = e => { for (; e; e = e.parentElement) { const c = rgb(view.getComputedStyle(e).backgroundColor); if (c.alpha === 1) return c.rgb; } return [255, 255, 255]; };
  for (const e of doc.body.querySelectorAll("*")) {
    if (![...e.childNodes].some(n => n.nodeType === 3 && n.data.trim()) || e.getBoundingClientRect().width === 0) continue;
    const a = light(rgb(view.getComputedStyle(e).color).rgb), b = light(behind(e));
    const contrast = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
    if (contrast < 4.5) seen.faint.push(contrast.toFixed(2) + " " + text(e).slice(0, 40));
  }

  for (const table of doc.querySelectorAll("table.bars")) {
    const last = table.querySelector(".ticks .last");
    const t = {articles: table.classList.contains("articles"), end: text(last), rows: [],
      ticks: [...table.querySelectorAll(".ticks i")].filter(i => i.getBoundingClientRect().width > 0).map(i => ({text: text(i), box: box(i)}))};
    for (const row of table.querySelectorAll("tbody tr:not(.group)")) {
      const axis = row.querySelector(".axis");
      t.rows.push({
        name: text(row.querySelector("th")), values: [...row.querySelectorAll("td.value")].map(text),
        interval: text(row.querySelector("td.wide")), failed: text(row.querySelector(".failed")),
        axis: axis && box(axis),
        bars: [...row.querySelectorAll(".lane")].map(lane => {
          const bar = lane.querySelector(".bar"), whisker = lane.querySelector(".whisker");
          return {box: box(bar), colour: view.getComputedStyle(bar).borderTopColor, cut: text(lane.querySelector(".beyond")), whisker: whisker && box(whisker)};
        }),
      });
    }
    seen.tables.push(t);
  }
  return seen;
}
addEventListener("load", () => {
  const seen = [...document.querySelectorAll("iframe")].map(look);
  document.getElementById("seen").textContent = JSON.stringify(seen);
});
