"use strict";
// A link to a step opens it; without this script one opens it by hand.
const reveal = () => {
  const at = location.hash.length > 1 && document.getElementById(location.hash.slice(1));
  if (at && at.tagName === "DETAILS") { at.open = true; at.scrollIntoView({ block: "nearest" }); }
};
addEventListener("hashchange", reveal);
reveal();
for (const button of document.querySelectorAll("button[data-all]")) {
  button.hidden = false;
  button.addEventListener("click", () => {
    const steps = [...document.querySelectorAll("#lineage details")];
    const open = steps.some((step) => !step.open);
    for (const step of steps) step.open = open;
    button.textContent = open ? "close all" : "open all";
  });
}
