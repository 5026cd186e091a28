// Returns the controls whose edge has a contrast below 3 to what is around them, and the elements
// that leave the window.
(() => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const parse = (color) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = color;
    canvas.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
    return { rgb: [r, g, b], opaque: a > 250 };
  };
  const luminance = ({ rgb }) => {
    const [r, g, b] = rgb.map((value) => {
      const share = value / 255;
      return share <= 0.03928 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const contrast = (one, two) => {
    const [light, dark] = [luminance(one), luminance(two)].sort((a, b) => b - a);
    return (light + 0.05) / (dark + 0.05);
  };
  const around = (it) => {
    for (let parent = it.parentElement; parent; parent = parent.parentElement) {
      const color = parse(getComputedStyle(parent).backgroundColor);
      if (color.opaque) return color;
    }
    return parse("#fff");
  };
  const isVisible = (it) => it.checkVisibility({ visibilityProperty: true }) && it.getBoundingClientRect().width > 0;
  const name = (it) => it.outerHTML.slice(0, 100);
  const wrong = [];

  for (const it of document.querySelectorAll("button, .button, select, textarea, input:not([type=hidden], [type=checkbox])")) {
    if (!isVisible(it)) continue;
    const style = getComputedStyle(it);
    // The button of a chip has the chip's edge.
    const edge = it.closest(".chip") ? getComputedStyle(it.closest(".chip")).borderTopColor : style.borderTopColor;
    const outside = around(it.closest(".chip") ?? it);
    const background = parse(style.backgroundColor);
    const best = Math.max(contrast(parse(edge), outside), background.opaque ? contrast(background, outside) : 1);
    if (best < 3) wrong.push(`${name(it)} has a contrast of ${best.toFixed(2)}`);
  }

  if (document.documentElement.scrollWidth > innerWidth) wrong.push(`the page is ${document.documentElement.scrollWidth} px wide`);
  const scrolls = (it) => it.closest("pre, #panel[hidden]");
  for (const it of document.querySelectorAll("button, a, input, select, td, th, h1, h2, h3, dd, dt, li, svg, .badge, .points, .cost, .took, .time")) {
    if (!isVisible(it) || scrolls(it) || it.closest(".hidden")) continue;
    const { left, right } = it.getBoundingClientRect();
    if (left < -1 || right > innerWidth + 1) wrong.push(`${name(it)} is at ${left} to ${right}`);
  }
  // Text of a fixed length is not cut in its cell.
  for (const it of document.querySelectorAll(".badge, .request .time, .request .took, .cost, .points, td, #receipt, .head span")) {
    if (isVisible(it) && it.scrollWidth > it.clientWidth + 1 && getComputedStyle(it).display !== "inline") wrong.push(`${name(it)} is cut off`);
  }
  // A word that fits in its line stays whole. An id in a code may be broken.
  for (const it of document.querySelectorAll("details")) it.open = true;
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let text = walker.nextNode(); text; text = walker.nextNode()) {
    if (!isVisible(text.parentElement) || text.parentElement.closest("pre, code, textarea, option, script, .hidden")) continue;
    for (const word of text.data.matchAll(/[\p{L}\p{N}-]+/gu)) {
      const range = document.createRange();
      // A line may end after a hyphen.
      for (const part of word[0].matchAll(/[^-]+-*/g)) {
        range.setStart(text, word.index + part.index);
        range.setEnd(text, word.index + part.index + part[0].length);
        if (new Set([...range.getClientRects()].map((rect) => rect.top)).size > 1) wrong.push(`${name(text.parentElement)} breaks ${word[0]}`);
      }
    }
  }
  return wrong;
})();
