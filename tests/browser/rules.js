(() => {
  // What WCAG 2.2 asks of a page and a program can see: https://www.w3.org/TR/WCAG22/
  const found = [];
  const seen = [...document.body.querySelectorAll("*")].filter((it) => it.checkVisibility());
  const parse = (colour) => colour.match(/[\d.]+/g).map(Number);
  const channel = (value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
  const luminance = ([red, green, blue]) =>
    0.2126 * channel(red) + 0.7152 * channel(green) + 0.0722 * channel(blue);
  const rgb = (colour) => {
    const [red, green, blue, alpha = 1] = parse(colour);
    const scale = colour.startsWith("color(") ? 1 : 255;
    return { parts: [red / scale, green / scale, blue / scale], alpha };
  };
  const ground = (it) => {
    for (; it; it = it.parentElement) {
      const { parts, alpha } = rgb(getComputedStyle(it).backgroundColor);
      if (alpha === 1) return parts;
    }
    return [1, 1, 1];
  };
  const contrast = (one, other) => {
    const [dark, light] = [luminance(one), luminance(other)].sort((a, b) => a - b);
    return (light + 0.05) / (dark + 0.05);
  };
  for (const it of seen) {
    const own = [...it.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    const ratio = own && contrast(rgb(getComputedStyle(it).color).parts, ground(it));
    if (own && ratio < 4.5) found.push(`1.4.3 contrast ${ratio.toFixed(2)}: ${it.textContent.trim()}`);
  }
  const controls = seen.filter((it) => it.matches("a[href], button, input"));
  for (const it of controls) {
    const box = (it.labels?.[0] ?? it).getBoundingClientRect();
    if (box.width < 24 || box.height < 24) found.push(`2.5.8 small target: ${it.outerHTML}`);
    const name = (it.labels?.[0] ?? it).textContent.trim();
    if (!name) found.push(`4.1.2 no name: ${it.outerHTML}`);
    if (it.tabIndex > 0) found.push(`2.4.3 order by tabindex: ${it.outerHTML}`);
  }
  for (const it of seen.filter((it) => it.matches("fieldset")))
    if (!it.querySelector("legend")?.textContent.trim()) found.push("1.3.1 a group without a name");
  for (const it of seen.filter((it) => it.matches("img")))
    if (!it.hasAttribute("alt")) found.push("1.1.1 a picture without words");
  const levels = seen.filter((it) => it.matches("h1, h2, h3")).map((it) => Number(it.tagName[1]));
  if (levels[0] !== 1 || levels.filter((it) => it === 1).length !== 1) found.push("1.3.1 not one first heading");
  if (levels.some((it, at) => at && it > levels[at - 1] + 1)) found.push("1.3.1 a heading is left out");
  if (document.querySelectorAll("main").length !== 1) found.push("1.3.1 not one main part");
  if (!document.title.trim()) found.push("2.4.2 no title");
  if (!document.documentElement.lang) found.push("3.1.1 no language");
  const ids = [...document.querySelectorAll("[id]")].map((it) => it.id);
  if (new Set(ids).size !== ids.length) found.push("an id stands twice");
  if (document.documentElement.scrollWidth > innerWidth) found.push("1.4.10 scrolls sideways");
  if (document.scripts.length) found.push("there is a script");
  return found;
})()
