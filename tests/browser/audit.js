// What is wrong with a page for people who cannot see it well, have little room, or no mouse. Returns sentences.
() => {
  const found = [];
  const say = (what, element) => found.push(`${what}: ${element.outerHTML.slice(0, 120).replace(/\s+/g, " ")}`);
  const isShown = (element) => element.checkVisibility({ visibilityProperty: true }) && !element.closest(".visually-hidden");

  if (document.documentElement.lang !== "en") found.push("no lang");
  if (document.querySelectorAll("h1").length !== 1) found.push("not exactly one h1");
  for (const landmark of ["header", "nav", "main", "footer"]) {
    if (!document.querySelector(landmark)) found.push(`no ${landmark}`);
  }
  if (document.documentElement.scrollWidth > innerWidth) {
    found.push(`scrolls sideways: ${document.documentElement.scrollWidth} in ${innerWidth}`);
    for (const element of document.querySelectorAll("main *")) {
      if (element.getBoundingClientRect().right > innerWidth + 1 && isShown(element)) say("sticks out", element);
    }
  }
  let level = 0;
  for (const heading of document.querySelectorAll("h1, h2, h3, h4")) {
    const next = Number(heading.tagName[1]);
    if (next > level + 1) say("heading level left out", heading);
    level = next;
  }
  const ids = [...document.querySelectorAll("[id]")].map((element) => element.id);
  if (new Set(ids).size !== ids.length) found.push(`the same id twice: ${ids.filter((id, at) => ids.indexOf(id) !== at)}`);
  for (const input of document.querySelectorAll("input:not([type=hidden]), textarea, select")) {
    if (!input.labels?.length && !input.ariaLabel && !input.closest("[aria-hidden]") && !input.ariaHidden) say("no label", input);
    const described = (input.getAttribute("aria-describedby") ?? "").split(" ").filter(Boolean);
    if (described.some((id) => !document.getElementById(id))) say("described by nothing", input);
    if (input.ariaInvalid === "true" && !described.some((id) => id.endsWith("-error"))) say("error not tied", input);
  }
  for (const target of document.querySelectorAll("a, button, input:not([type=hidden]), summary")) {
    if (!isShown(target) || target.matches(".skip") || getComputedStyle(target).display === "inline") continue; // links in text
    const { width, height } = (target.closest("label, .row") ?? target).getBoundingClientRect();
    if (height < 43.5 || width < 24) say(`target of ${Math.round(width)} × ${Math.round(height)} px`, target);
    if (!target.textContent.trim() && !target.labels?.length && !target.ariaLabel && target.tagName !== "INPUT") say("no name", target);
  }

  const pen = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  const rgba = (colour) => {
    pen.clearRect(0, 0, 1, 1);
    pen.fillStyle = colour;
    pen.fillRect(0, 0, 1, 1);
    return [...pen.getImageData(0, 0, 1, 1).data];
  };
  const luminance = (colour) => {
    const [r, g, b] = colour.slice(0, 3).map((part) => {
      const value = part / 255;
      return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = rgba(getComputedStyle(at).backgroundColor);
      if (colour[3] > 250) return colour;
    }
    return [255, 255, 255, 255];
  };
  for (const element of document.querySelectorAll("body *")) {
    const hasText = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    if (!hasText || !isShown(element) || element.matches(".skip")) continue;
    const [a, b] = [luminance(rgba(getComputedStyle(element).color)), luminance(ground(element))].sort();
    const contrast = (b + 0.05) / (a + 0.05);
    if (contrast < 4.5) say(`contrast ${contrast.toFixed(2)}`, element);
  }
  for (const bar of document.querySelectorAll(".bar .part")) {
    const [a, b] = [luminance(rgba(getComputedStyle(bar).fill)), luminance(ground(bar.closest("li")))].sort();
    if ((b + 0.05) / (a + 0.05) < 3) say("a bar below 3:1", bar);
  }
  return found;
};
